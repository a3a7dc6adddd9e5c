"""py_import and py_path: where modules are found, what is said of those that are not, and what a reload reads anew."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http.py import module
from tests.engine import load_http, serving

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def load(text: str, folder: Path) -> str:
    """The mistake that is named, or nothing."""
    try:
        load_http(text, f"{folder}/")
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("directive", "file", "function"),
    [
        ("py_import one;", "one.py", "one.f"),
        ("py_import one.py;", "one.py", "one.f"),
        ("py_import lib/one.py;", "lib/one.py", "one.f"),
        ("py_import mine from lib/one.py;", "lib/one.py", "mine.f"),
        ("py_import mine from pack.one;", "pack/one.py", "mine.f"),
        ("py_import pack.one;", "pack/one.py", "pack.one.f"),
        ("py_path there; py_import one;", "there/one.py", "one.f"),
        ("py_path nowhere there; py_import one;", "there/one.py", "one.f"),
    ],
)
async def test_where_a_module_is(tmp_path: Path, directive: str, file: str, function: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("def f(r): return 'found'")
    text = f"{directive} server {{ listen 127.0.0.1:80; location / {{ py_content {function}; }} }}"
    async with serving(text, prefix=f"{tmp_path}/") as engine:
        assert (await engine.get("/")).body == b"found"
    assert not list(tmp_path.rglob("__pycache__"))


async def test_a_directive_may_stand_before_its_import(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def f(r): return 'found'")
    text = "server { listen 127.0.0.1:80; location / { py_content one.f; } } py_import one;"
    async with serving(text, prefix=f"{tmp_path}/") as engine:
        assert (await engine.get("/")).body == b"found"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def f(r) return 1",
            "py_import \"one\" failed: SyntaxError: expected ':' ({folder}/one.py:1) in nginx.conf:2",
        ),
        ("\n1 / 0", 'py_import "one" failed: ZeroDivisionError: division by zero ({folder}/one.py:2) in nginx.conf:2'),
        ("import gone_", "py_import \"one\" failed: ModuleNotFoundError: No module named 'gone_' ({folder}/one.py:1)"),
        ("raise SystemExit(3)", 'py_import "one" failed: SystemExit: 3 ('),
        ("g = 1", 'py_content one.f: no such function in "one" in nginx.conf:3'),
        ("f = 1", 'py_content one.f: int is no function in "one" in nginx.conf:3'),
    ],
)
def test_what_is_wrong_in_it(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "one.py").write_text(code)
    text = "py_import one;\nserver { location / { py_content one.f; } }"
    assert load(text, tmp_path).startswith(said.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "py_import gone_;",
            "py_import \"gone_\" failed: ModuleNotFoundError: No module named 'gone_' in nginx.conf:2",
        ),
        ("py_import gone_.py;", 'py_import "gone_.py" failed: FileNotFoundError: '),
        ("py_import one; py_import one;", 'py_import "one" is there already in nginx.conf:2'),
        ("py_import a of one;", 'invalid parameter "of" in nginx.conf:2'),
        ("py_import a one;", 'invalid parameter "one" in nginx.conf:2'),
        ("py_set x one.f;", 'invalid variable name "x" in nginx.conf:2'),
        ("py_set $x one.f cached;", 'invalid parameter "cached" in nginx.conf:2'),
        ("py_set $x f;", '"f" should look like module.function in nginx.conf:2'),
        ("py_set $x two.f;", 'py_set two.f: no py_import has the name "two" in nginx.conf:2'),
        ("py_import one; py_set $x two.f;", 'py_set two.f: no py_import has the name "two"; there is py_import one in'),
        ("py_import one; py_set $x one.a;", "py_set one.a: py_set takes a plain function, this one is async in"),
        ("py_import one; py_body_filter one.ag;", "py_body_filter one.ag: py_body_filter takes a plain function, this"),
        ("py_import one; py_header_filter one.a;", "py_header_filter one.a: py_header_filter takes a plain function"),
        ("py_import one; py_access one.f; py_access one.f;", '"py_access" directive is duplicate in nginx.conf:2'),
        ("py_content one.f;", '"py_content" directive is not allowed here in nginx.conf:2'),
    ],
)
def test_what_is_wrong_in_the_configuration(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "one.py").write_text("def f(r): return 1\nasync def a(r): return 1\nasync def ag(r): yield 1\n")
    assert load(text, tmp_path).startswith(said)


async def test_a_reload_reads_it_anew_and_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import other\ndef f(r): return other.TEXT")
    text = "py_import one; server { listen 127.0.0.1:80; location / { py_content one.f; } }"
    (tmp_path / "other.py").write_text("TEXT = 'first'")
    async with serving(text, prefix=f"{tmp_path}/") as before:
        (tmp_path / "other.py").write_text("TEXT = 'later'")
        async with serving(text, prefix=f"{tmp_path}/") as engine:
            assert (await engine.get("/")).body == b"later"
        assert (await before.get("/")).body == b"first"  # old workers go on with what they have
    assert str(tmp_path) not in sys.path


def test_without_the_directives_nothing_is_imported(tmp_path: Path) -> None:
    cycle = load_http("server { }", f"{tmp_path}/")
    assert not cycle.scope.conf(module, "main").imports.wanted


async def test_a_package_s_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example in the documentation, installed by pip."""
    blocks = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
    project, site, empty = tmp_path / "project", tmp_path / "site", tmp_path / "empty"
    for folder in (project, empty):
        folder.mkdir()
    for name in ("pyproject.toml", "gateway_stamp.py"):
        (project / name).write_text(next(body for _, title, body in blocks if title == name))
    text = next(body for kind, _, body in blocks if kind == "text")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--target", str(site), str(project)], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode and "No module named pip" in done.stderr:
        pytest.skip("no pip here")
    assert not done.returncode, done.stderr
    assert "No module named 'stamp'" in load(text, empty)
    monkeypatch.syspath_prepend(str(site))
    async with serving(text, prefix=f"{empty}/") as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.body) == (200, b"ok\n")
        assert (reply.header("x-worker") or b"").isdigit()
