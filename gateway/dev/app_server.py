"""The application in a real app server, on a socket that outlives its restarts.

The listening socket is made here and handed to uWSGI or gunicorn. While the app server is away, requests wait in the
socket's queue instead of failing.
"""

from __future__ import annotations

import importlib.util
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.dev.app_finder import Application
from gateway.dev.child import Child
from gateway.dev.failure_page import FailurePage
from gateway.dev.janitor import Janitor
from gateway.dev.probe import NoAnswer, ask_uwsgi

# How long an application may take to load and answer.
_PATIENCE_S: Final = 60.0

# Requests in one process, side by side: as Flask's own development server has it.
_THREADS: Final = 8

# Frames that are not the application's.
_FOREIGN: Final = re.compile(r'^  File "(?:.*/gunicorn/|<frozen importlib|<string>)')
# What uWSGI and gunicorn say around a traceback.
_CHATTER: Final = re.compile(r"unable to load app|\*\*\* |\[\d{4}-|VACUUM|No module named|SIGINT|worker \d|goodbye")


class DoesNotLoad(Exception):
    """The app server ended, or does not answer; the text is what there is to know, a traceback if possible."""


def available() -> str:
    """"uWSGI", "gunicorn" or nothing: what is installed beside this Python."""
    if importlib.util.find_spec("pyuwsgi"):
        return "uWSGI"
    return "gunicorn" if importlib.util.find_spec("gunicorn") else ""


class AppServer:
    """Starts, restarts and stops the app server."""

    def __init__(
        self,
        application: Application,
        socket_path: Path,
        *,
        processes: int,
        janitor: Janitor,
        say: Callable[[str], None],
        go_on: Callable[[], bool],
    ) -> None:
        self._application = application
        self._processes = processes
        self._janitor = janitor
        self._say = say
        self._go_on = go_on
        self._child: Child | None = None
        self._page: FailurePage | None = None
        self._quiet = True
        self._startup: list[str] = []
        self.kind = available()
        self._listener = socket.socket(socket.AF_UNIX)
        self._path = socket_path

    def listen(self) -> None:
        """Make the socket; OSError when it cannot be made there."""
        # gunicorn unlinks the name that a socket was bound to when it ends: it gets one that nobody uses.
        bound = self._path.with_name(self._path.name + ".bound")
        self._listener.bind(str(bound))
        bound.rename(self._path)
        self._listener.listen(1024)

    def start(self) -> float:
        """Seconds until it answered; DoesNotLoad if it never does."""
        self._close_page()
        self._quiet, self._startup = True, []
        command = self._uwsgi() if self.kind == "uWSGI" else self._gunicorn()
        child = self._child = Child(
            command,
            folder=self._application.folder,
            janitor=self._janitor,
            line=self._line,
            pass_fds=[self._listener.fileno()],
            environment={"PYTHONUNBUFFERED": "1"},
        )
        try:
            seconds = ask_uwsgi(str(self._path), _PATIENCE_S, lambda: child.running and self._go_on())
        except NoAnswer as why:
            running = child.running
            child.stop()
            self._child = None
            if not self._go_on():
                raise
            text = traceback_of(self._startup)
            raise DoesNotLoad(text if not running else f"{self.kind} {why}\n{text}".rstrip()) from None
        for line in shown_at_start(self._startup):
            self._say(line)
        self._quiet = False
        return seconds

    def fail(self, text: str) -> None:
        """Answer requests with this traceback until the next start."""
        self._close_page()
        self._page = FailurePage(self._listener, f"{self._application.spec} does not load", text)

    @property
    def ended(self) -> str:
        """How the app server ended on its own, or nothing."""
        if self._child is None or self._child.running:
            return ""
        return self._child.ending

    def stop(self) -> None:
        """Stop it and keep the socket."""
        self._close_page()
        self._quiet = True
        if self._child is not None:
            self._child.stop(signal.SIGTERM)
            self._child = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _close_page(self) -> None:
        if self._page is not None:
            self._page.close()
            self._page = None

    def _line(self, line: str) -> None:
        if self._quiet:
            self._startup.append(line)
        else:
            self._say(line)

    def _uwsgi(self) -> list[str]:
        beside = Path(sys.executable).with_name("pyuwsgi")
        run = [str(beside)] if beside.exists() else [sys.executable, "-c", "import pyuwsgi; pyuwsgi.run()"]
        return [
            *run, "--socket", f"fd://{self._listener.fileno()}", "--wsgi", self._application.spec,
            "--need-app", "--master", "--no-orphans", "--die-on-term",
            "--processes", str(self._processes), "--threads", str(_THREADS), "--single-interpreter",
            # The packet's greatest size: a long cookie is no reason to fail in development.
            "--buffer-size", "65535",
            # gateway writes the access log.
            "--disable-logging",
        ]  # fmt: skip

    def _gunicorn(self) -> list[str]:
        return [
            sys.executable, "-m", "gunicorn", "--bind", f"fd://{self._listener.fileno()}", "--protocol", "uwsgi",
            "--workers", str(self._processes), "--threads", str(_THREADS), "--chdir", str(self._application.folder),
            "--log-level", "warning", "--no-control-socket", self._application.spec,
        ]  # fmt: skip


def traceback_of(lines: list[str]) -> str:
    """The traceback in an app server's output, without its own frames; the output's end if there is none."""
    begin = next((i for i, line in enumerate(lines) if line.startswith("Traceback ")), None)
    if begin is None:
        # A SyntaxError in the application's file itself has no frame above it.
        begin = next((i for i, line in enumerate(lines) if line.startswith('  File "')), None)
    if begin is None:
        return "\n".join(lines[-15:])
    kept: list[str] = []
    foreign = False
    for line in lines[begin:]:
        if _CHATTER.match(line):
            break
        if line.startswith('  File "'):
            foreign = bool(_FOREIGN.match(line))
        elif not line.startswith("    "):
            foreign = False
        if not foreign:
            kept.append(line)
    return "\n".join(kept).rstrip()


def shown_at_start(lines: list[str]) -> list[str]:
    """What the application printed while it loaded: between uWSGI's own lines."""
    try:
        begin = next(i for i, line in enumerate(lines) if line.startswith("*** Operational MODE"))
        end = next(i for i, line in enumerate(lines) if line.startswith("WSGI app 0"))
    except StopIteration:
        return []
    return lines[begin + 1 : end]
