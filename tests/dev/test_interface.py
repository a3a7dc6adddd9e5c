from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev import interface
from gateway.dev.app_finder import find


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", "app", "ASGI"),
        ("import fastapi\napp: object = fastapi.FastAPI(title='x')", "app", "ASGI"),
        ("from flask import Flask\napp = Flask(__name__)", "app", "WSGI"),
        ("async def app(scope, receive, send): ...", "app", "ASGI"),
        ("def app(environ, start_response): ...", "app", "WSGI"),
        ("class App:\n    async def __call__(self, scope, receive, send): ...\napp = App()", "app", "ASGI"),
        ("class App:\n    def __call__(self, environ, start): ...\napp = App()", "app", "WSGI"),
        (
            "from starlette.applications import Starlette\ndef create_app():\n    return Starlette()",
            "create_app()",
            "ASGI",
        ),
        ("def create_app() -> 'fastapi.FastAPI': ...\napp = create_app()", "app", "ASGI"),
        ("from flask import Flask\ndef create_app():\n    return Flask('x')", "create_app()", "WSGI"),
        ("from fastapi import FastAPI\nfrom m import Wrap\napp = Wrap(FastAPI())", "app", "ASGI"),
        (
            "from flask import Flask\nfrom x import ProxyFix\napp = Flask('x')\napp.wsgi_app = ProxyFix(app.wsgi_app)",
            "app",
            "WSGI",
        ),
        (
            "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()",
            "application",
            "ASGI",
        ),
        ("if x:\n    from quart import Quart\n    app = Quart(__name__)\nelse:\n    raise E", "app", "ASGI"),
        ("from other import app", "app", "ASGI"),
        ("from .other import make as create_app", "create_app()", "ASGI"),
        ("from nowhere import app", "app", "WSGI"),
        ("def broken(:", "app", "WSGI"),
    ],
)
def test_is_read_from_the_source(tmp_path: Path, text: str, name: str, expected: str) -> None:
    (tmp_path / "main.py").write_text(text)
    (tmp_path / "other.py").write_text("from fastapi import FastAPI\napp = FastAPI()\ndef make(): return app\napp2 = 1")
    (tmp_path / "other.py").write_text("from fastapi import FastAPI\napp = FastAPI()\ndef make(): return FastAPI()")
    assert interface.of(tmp_path / "main.py", name, tmp_path) == expected


def test_a_file_that_says_so_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "asgi.py").write_text("application = make()")
    assert find(None, tmp_path).asgi
    assert not interface.is_factory(None, "x")


def test_imports_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import app")
    (tmp_path / "b.py").write_text("from a import app")
    assert interface.of(tmp_path / "a.py", "app", tmp_path) == "WSGI"


@pytest.mark.parametrize(
    ("text", "factory"),
    [
        ("def make(): ...", True), ("def make(config=None): ...", True), ("def make(environ, start): ...", False),
        ("async def make(): ...", False), ("make = 1", False), ("def make(:", False),
    ],
)  # fmt: skip
def test_factories(tmp_path: Path, text: str, factory: bool) -> None:
    (tmp_path / "app.py").write_text(text)
    assert interface.is_factory(tmp_path / "app.py", "make") is factory
    spec = find("app:make", tmp_path).spec
    assert spec == ("app:make()" if factory else "app:make")
