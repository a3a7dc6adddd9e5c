from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.app_finder import NoApplication, find


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "spec"),
    [
        ("app.py", "app = 1", "app:app"),
        ("app.py", "application: object = 1", "app:application"),
        ("app.py", "def create_app():\n    pass", "app:create_app()"),
        ("app.py", "from site import create_app", "app:create_app()"),
        ("app.py", "from flask import Flask\ntry:\n    app = Flask()\nexcept E:\n    raise", "app:app"),
        ("wsgi.py", "from site import app as application", "wsgi:application"),
        ("main.py", "app = create_app()", "main:app"),
        ("app.py", "def f(:", "app:app"),
        ("shop/wsgi.py", "application = 1", "shop.wsgi:application"),
    ],
)
def test_searches_the_folder(tmp_path: Path, name: str, text: str, spec: str) -> None:
    write(tmp_path, name, text)
    assert find(None, tmp_path).spec == spec


def test_prefers_what_is_named_first(tmp_path: Path) -> None:
    write(tmp_path, "wsgi.py", "application = 1")
    write(tmp_path, "app.py", "def create_app(): ...\napp = create_app()")
    assert find(None, tmp_path).spec == "app:app"


def test_passes_over_a_file_without_an_application(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "x = 1")
    write(tmp_path, "wsgi.py", "application = 1")
    assert find(None, tmp_path).spec == "wsgi:application"


def test_spec_with_a_callable_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find("installed.site:make", tmp_path).spec == "installed.site:make"


def test_module_alone(tmp_path: Path) -> None:
    write(tmp_path, "pack/__init__.py", "application = 1")
    assert find("pack", tmp_path).spec == "pack:application"


def test_file(tmp_path: Path) -> None:
    write(tmp_path, "sub/thing.py", "app = 1")
    found = find("sub/thing.py", tmp_path)
    assert (found.spec, found.folder) == ("thing:app", tmp_path / "sub")
    assert find("sub/thing.py:other", tmp_path).spec == "thing:other"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (None, "no app.py, wsgi.py"),
        ("app:", "there is no app.py"),
        ("mysite.wsgi", "there is no mysite/wsgi.py"),
        ("a b", "no application"),
        ("x.py", "no file"),
    ],
)
def test_says_what_is_missing(tmp_path: Path, spec: str | None, says: str) -> None:
    with pytest.raises(NoApplication, match=says):
        find(spec, tmp_path)


def test_says_which_file_has_none(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "x = 1")
    with pytest.raises(NoApplication, match="gateway run app:NAME"):
        find(None, tmp_path)


def test_nothing_is_imported(tmp_path: Path) -> None:
    write(tmp_path, "app.py", f"open({str(tmp_path / 'seen')!r}, 'w')\napp = 1")
    find(None, tmp_path)
    assert not (tmp_path / "seen").exists()


def test_a_package(tmp_path: Path) -> None:
    write(tmp_path, "shop/__init__.py", "def create_app(): ...")
    write(tmp_path, "tests/__init__.py", "app = 1")
    assert find(None, tmp_path).spec == "shop:create_app()"
    write(tmp_path, "src/cart/__init__.py", "")
    write(tmp_path, "src/cart/main.py", "app = 1")
    with pytest.raises(NoApplication, match=r"gateway run shop:create_app\(\) or gateway run cart.main:app"):
        find(None, tmp_path)
