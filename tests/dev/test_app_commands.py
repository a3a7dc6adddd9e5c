from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

from gateway.dev import app_commands
from gateway.dev.app_finder import Application


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The modules that are installed."""
    names: set[str] = set()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None) if name in names else None
    )
    monkeypatch.setattr(app_commands.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/bin/python")
    return names


def _application(tmp_path: Path, text: str) -> Application:
    (tmp_path / "app.py").write_text(text)
    return Application("app", "app", tmp_path, tmp_path / "app.py")


def test_what_is_taken(there: set[str], tmp_path: Path) -> None:
    wsgi, asgi = _application(tmp_path, "app = 1"), None
    assert app_commands.available(wsgi) == ""
    assert "pip install pyuwsgi" in app_commands.wanted(wsgi)
    there.add("gunicorn")
    assert app_commands.available(wsgi) == "gunicorn"
    there.add("pyuwsgi")
    assert app_commands.available(wsgi) == "uWSGI"
    asgi = _application(tmp_path, "async def app(scope, receive, send): ...")
    assert app_commands.available(asgi) == "gunicorn"
    there.add("uvicorn")
    assert app_commands.available(asgi) == "uvicorn"
    there.clear()
    assert "app:app is ASGI" in app_commands.wanted(asgi)


def test_uwsgi_of_the_system(monkeypatch: pytest.MonkeyPatch, there: set[str]) -> None:
    monkeypatch.setattr(app_commands.shutil, "which", lambda *_, **__: "/usr/bin/uwsgi")
    monkeypatch.setattr(sys, "prefix", "/venv")
    assert app_commands.uwsgi() == ["/usr/bin/uwsgi", "--plugin", "python3", "--virtualenv", "/venv"]
    monkeypatch.setattr(app_commands.shutil, "which", lambda *_, **__: "/nowhere/bin/uwsgi")
    assert app_commands.uwsgi() == ["/nowhere/bin/uwsgi"]


def test_what_is_beside_goes_before_the_systems_uwsgi(
    monkeypatch: pytest.MonkeyPatch, there: set[str], tmp_path: Path
) -> None:
    wsgi = _application(tmp_path, "app = 1")
    beside: set[str] = set()

    def which(_: str, path: str) -> str | None:
        return next((f"{folder}/uwsgi" for folder in path.split(":") if folder in {"/usr/bin", *beside}), None)

    monkeypatch.setattr(app_commands.shutil, "which", which)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert app_commands.available(wsgi) == "uWSGI"
    there.add("gunicorn")
    assert app_commands.available(wsgi) == "gunicorn"
    beside.add("/nowhere/bin")
    assert app_commands.available(wsgi) == "uWSGI"


def test_the_environment_of_an_application(there: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    asgi = _application(tmp_path, "async def app(scope, receive, send): ...")
    active = tmp_path / "elsewhere"
    for place, kind in ((tmp_path / ".venv", "hypercorn"), (active, "uvicorn")):
        (place / "bin").mkdir(parents=True)
        for name in ("python", kind):
            (place / "bin" / name).touch(0o755)
    assert app_commands.interpreter(asgi) == f"{tmp_path}/.venv/bin/python"
    assert app_commands.available(asgi) == "hypercorn"
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    assert app_commands.available(asgi) == "uvicorn"
    assert app_commands.for_unit("uvicorn", asgi, "/run/s", 1).startswith(f"{active}/bin/python -m uvicorn ")
    # one without an app server for it is not taken, and neither is any where gateway is in an environment itself
    (active / "bin" / "uvicorn").unlink()
    assert app_commands.available(asgi) == "hypercorn"
    monkeypatch.setattr(sys, "prefix", "/venv")
    assert app_commands.interpreter(asgi) == sys.executable


@pytest.mark.parametrize("kind", ["uWSGI", "gunicorn", "uvicorn", "hypercorn", "granian"])
def test_a_factory_is_called(kind: str, tmp_path: Path) -> None:
    factory = Application("app", "make()", tmp_path, None)
    words = app_commands.command(kind, factory, 7, tmp_path / "s", 3)
    assert words[-1].startswith("app:make") or "app:make()" in words
    assert ("--factory" in words) == (kind in ("uvicorn", "granian"))
    assert "3" in words
    line = app_commands.for_unit(kind, factory, "/run/x/app.sock", 3)
    assert "/run/x/app.sock" in line
    assert ("--factory" in line) == (kind in ("uvicorn", "granian"))
