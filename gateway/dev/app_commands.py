"""The command lines of app servers: which is there, and how it is started on a socket that is open already."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from gateway.dev.app_finder import Application

# Requests in one process, side by side: as Flask's own development server has it.
_THREADS: Final = 8

# In the order in which they are taken.
_WSGI: Final = ("uWSGI", "gunicorn")
_ASGI: Final = ("uvicorn", "hypercorn", "granian", "gunicorn")

_DEBIANS_UWSGI: Final = "/usr/bin/"


def interpreter(application: Application) -> str:
    """The Python that the application is for: this one, where gateway is in an environment.

    Where it is the system's (Debian's package), that of the environment which is active or lies beside the application,
    if an app server is in it.
    """
    if sys.prefix == sys.base_prefix:
        active = os.environ.get("VIRTUAL_ENV", "")
        places = [Path(active)] if active else []
        for place in (*places, application.folder / ".venv", application.folder / "venv"):
            python = place / "bin" / "python"
            if os.access(python, os.X_OK) and _first(application, str(python)):
                return str(python)
    return sys.executable


def available(application: Application) -> str:
    """The name of the app server that is installed beside the application's Python, or nothing."""
    return _first(application, interpreter(application))


def _first(application: Application, python: str) -> str:
    for kind in _ASGI if application.asgi else _WSGI:
        if _has_uwsgi(python) if kind == "uWSGI" else _has(python, kind):
            return kind
    # What was installed beside the application was meant; the machine's uWSGI may be for another Python.
    return "uWSGI" if not application.asgi and uwsgi(python) is not None else ""


def _has_uwsgi(python: str) -> bool:
    """Whether uWSGI is in the environment of that Python itself."""
    if _has(python, "pyuwsgi"):
        return True
    return shutil.which("uwsgi", path=str(Path(python).parent)) is not None


def _has(python: str, module: str) -> bool:
    """Whether it is installed there; another Python than this one is not asked, its commands are looked at."""
    if python == sys.executable:
        return importlib.util.find_spec(module) is not None
    return Path(python).with_name(module).exists()


def wanted(application: Application) -> str:
    """What to install when there is none."""
    if application.asgi:
        names = ", ".join(_ASGI)
        return f"{application.spec} is ASGI, and none of {names} is installed beside this Python: pip install uvicorn"
    return "neither uWSGI nor gunicorn is installed beside this Python: pip install pyuwsgi"


def uwsgi(python: str = "") -> list[str] | None:
    """How uWSGI is called: pyuwsgi, or uwsgi in the environment, or the system's."""
    python = python or sys.executable
    folder = Path(python).parent
    if _has(python, "pyuwsgi"):
        script = folder / "pyuwsgi"
        return [str(script)] if script.exists() else [python, "-c", "import pyuwsgi; pyuwsgi.run()"]
    found = shutil.which("uwsgi", path=os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)]))
    if found is None:
        return None
    command = [found]
    if found.startswith(_DEBIANS_UWSGI):
        command += ["--plugin", "python3"]  # Debian's has its languages in packages of their own
    environment = sys.prefix if python == sys.executable else str(folder.parent)
    if environment != sys.base_prefix and not found.startswith(str(folder)):
        command += ["--virtualenv", environment]
    return command


def owns_socket(kind: str) -> bool:
    """Whether it makes the socket itself instead of taking an open one."""
    return kind == "granian"


def command(kind: str, application: Application, descriptor: int, path: Path, processes: int) -> list[str]:
    spec, folder = application.spec, str(application.folder)
    own = interpreter(application)
    python = [own, "-m"]
    factory = spec.endswith("()")
    bare = spec.removesuffix("()")
    if kind == "uWSGI":
        return [
            *(uwsgi(own) or ["uwsgi"]), "--socket", f"fd://{descriptor}", "--wsgi", spec,
            "--need-app", "--master", "--no-orphans", "--die-on-term",
            "--processes", str(processes), "--threads", str(_THREADS), "--single-interpreter",
            # The packet's greatest size: a long cookie is no reason to fail in development.
            "--buffer-size", "65535",
            # gateway writes the access log.
            "--disable-logging",
        ]  # fmt: skip
    if kind == "gunicorn":
        return [
            *python, "gunicorn", "--bind", f"fd://{descriptor}", "--workers", str(processes), "--chdir", folder,
            "--log-level", "warning", "--no-control-socket",
            *(["--worker-class", "asgi"] if application.asgi else ["--protocol", "uwsgi", "--threads", str(_THREADS)]),
            # It takes the end of a connection that was kept for a broken request, with a traceback for each.
            "--keep-alive", "0", spec,
        ]  # fmt: skip
    if kind == "uvicorn":
        return [
            *python, "uvicorn", "--fd", str(descriptor), "--workers", str(processes), "--app-dir", folder,
            "--no-access-log", "--log-level", "warning", "--forwarded-allow-ips", "*",
            *(["--factory"] if factory else []), bare,
        ]  # fmt: skip
    if kind == "hypercorn":
        return [*python, "hypercorn", "--bind", f"fd://{descriptor}", "--workers", str(processes), spec]
    return [
        *python, "granian", "--interface", "asgi", "--uds", str(path), "--workers", str(processes), "--no-access-log",
        "--log-level", "warning", "--working-dir", folder, *(["--factory"] if factory else []), bare,
    ]  # fmt: skip


def for_unit(kind: str, application: Application, path: str, processes: int) -> str:
    """The command line for a service manager: the app server makes the socket itself."""
    spec, python = application.spec, interpreter(application)
    bare, factory = spec.removesuffix("()"), " --factory" if spec.endswith("()") else ""
    if kind == "uWSGI":
        program = " ".join(uwsgi(python) or [str(Path(python).with_name("pyuwsgi"))])
        return (
            f"{program} --socket {path} --chmod-socket=660 --wsgi {spec} --need-app --master --die-on-term "
            f"--processes {processes} --threads {_THREADS} --buffer-size 65535 --harakiri 60"
        )
    if kind == "gunicorn":
        how = "--worker-class asgi" if application.asgi else f"--protocol uwsgi --threads {_THREADS}"
        return f"{python} -m gunicorn --bind unix:{path} --workers {processes} {how} {spec}"
    if kind == "uvicorn":
        how = "--forwarded-allow-ips '*' --no-access-log"
        return f"{python} -m uvicorn --uds {path} --workers {processes} {how}{factory} {bare}"
    if kind == "hypercorn":
        return f"{python} -m hypercorn --bind unix:{path} --workers {processes} {spec}"
    return f"{python} -m granian --interface asgi --uds {path} --workers {processes}{factory} {bare}"
