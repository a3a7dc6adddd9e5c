"""packages: a module that a package brings, the one in the documentation, installed by pip."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.process.running import GATEWAY, Running, fetch

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCKS = {
    title: body for title, body in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in it."""
    project, site = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("site")
    (project / "pyproject.toml").write_text(BLOCKS["motd-pyproject.toml"])
    (project / "gateway_motd.py").write_text(BLOCKS["gateway_motd.py"])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--target", str(site), str(project)], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode and "No module named pip" in done.stderr:
        pytest.skip("no pip here")
    assert not done.returncode, done.stderr
    return site


def running(folder: Path, site: Path | None, text: str) -> Running:
    made = Running(folder, GATEWAY)
    if site is not None:
        made.environment["PYTHONPATH"] += os.pathsep + str(site)
    user = "user root; " * (os.geteuid() == 0)
    (folder / "nginx.conf").write_text(f"daemon off; pid nginx.pid; error_log error.log; {user}\n{text}")
    return made


def test_its_directive_works_and_is_inherited(site: Path, tmp_path: Path) -> None:
    port = free_port()
    text = BLOCKS["motd.conf"].replace("8080", str(port)).replace("return 200", "add_header X-A b; return 200")
    with running(tmp_path, site, text) as one:
        one.start()
        head = _head(port, "/")
        assert "X-Motd: be kind" in head and "X-A: b" in head
        assert "X-Motd" not in _head(port, "/quiet")
        assert fetch(("127.0.0.1", port)) == "ok\n"
        one.end()


def _head(port: int, path: str) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return "\n".join(f"{name}: {value}" for name, value in answer.getheaders())


def test_mistakes_have_their_line(site: Path, tmp_path: Path) -> None:
    for line, said in (
        ("motd;", 'invalid number of arguments in "motd" directive'),
        ('motd "\x01";', 'invalid value "\x01"'),
        ("mot x;", 'unknown directive "mot"'),
    ):
        with running(tmp_path, site, f"load_module motd;\nevents {{}} http {{\n{line}\n}}\n") as one:
            done = one.run("-t")
            assert done.returncode == 1
            assert f"[emerg] {said} in {tmp_path}/nginx.conf:4" in done.stderr


def test_without_the_package(tmp_path: Path) -> None:
    with running(tmp_path, None, "load_module motd;\nevents {} http {\nmotd x;\n}\n") as one:
        done = one.run("-t")
        assert done.returncode == 1 and 'unknown directive "motd"' in done.stderr
        (tmp_path / "nginx.conf").write_text("pid p; load_module motd; events {}")
        done = one.run("-t")
        assert done.returncode == 0 and 'module "motd" is not part of gateway, and not loaded' in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("module = 1", "is no HttpModule (int)"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (
            "from gateway.http.module import HttpModule\nfrom gateway.config.directive import HTTP, Directive, take\n"
            'module = HttpModule("m", (Directive("root", HTTP, take(1), None),))',
            '"root" is there already',
        ),
    ],
)
def test_what_is_no_module(tmp_path: Path, text: str, why: str) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gateway.modules]\nbroken = broken_module:module\n")
    (tmp_path / "broken_module.py").write_text(text)
    with running(tmp_path, tmp_path, "load_module broken;\nevents {}\n http {}\n") as one:
        done = one.run("-t")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert 'load_module "broken" failed: ' in done.stderr and why in done.stderr
        assert f"in {tmp_path}/nginx.conf:2" in done.stderr
