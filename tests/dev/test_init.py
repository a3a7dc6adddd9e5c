from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.init import main
from gateway.dev.start_block import walk

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "my shop"
    made.mkdir()
    (made / "app.py").write_text("app = 1")
    (made / "static").mkdir()
    monkeypatch.chdir(made)
    return made


def _directives(text: str) -> dict[str, list[str]]:
    source = parse(text)
    assert source.error is None
    return {s.name: s.args for s in walk(source.statements)}


def test_writes_two_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--domain", "example.org", "--certificate", "/etc/ssl/x", "--static", "/static=static"]) == 0
    found = _directives((folder / "nginx.conf").read_text())
    assert found["ssl_certificate"] == ["/etc/ssl/x.pem"]
    assert found["alias"] == [f"{folder}/static/"]
    unit = (folder / "my-shop.service").read_text()
    assert f"WorkingDirectory={folder}" in unit
    assert found["uwsgi_pass"] == ["unix:/run/my-shop/app.sock"]
    assert "--socket /run/my-shop/app.sock" in unit or "unix:/run/my-shop/app.sock" in unit
    assert "sudo systemctl enable --now my-shop" in capsys.readouterr().out
    assert main([]) == 1
    assert "nginx.conf is here already" in capsys.readouterr().err


def test_workers_reach_the_socket(folder: Path) -> None:
    assert main([]) == 0
    (user,) = _directives((folder / "nginx.conf").read_text())["user"]
    assert f"Group={user}" in (folder / "my-shop.service").read_text()


def test_an_environment_beside_the_application(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gateway is the system's, the application has a .venv."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pyuwsgi"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    assert main([]) == 0
    assert f"ExecStart={programs}/pyuwsgi --socket" in (folder / "my-shop.service").read_text()


def test_an_asgi_application(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "app.py").write_text("async def app(scope, receive, send): ...")
    assert main(["--print"]) == 0
    out = capsys.readouterr().out
    assert "proxy_pass http://unix:/run/my-shop/app.sock;" in out
    assert "ssl" not in out
    assert not (folder / "nginx.conf").exists()


@pytest.mark.parametrize("domain", ["nonsense", "a b.org", "https://example.org", "x;.org"])
def test_no_domain(domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--domain", domain]) == 1
    assert "is no domain name" in capsys.readouterr().err


@pytest.mark.skipif(NGINX is None, reason="nginx is missing")
def test_nginx_takes_it(folder: Path, tmp_path: Path) -> None:
    assert NGINX is not None
    assert main(["--static", "/static=static"]) == 0
    text = (folder / "nginx.conf").read_text().replace("/var/log/gateway", str(tmp_path)).replace("80;", "8099;")
    text = text.replace("pid /run/gateway.pid;\n", "")
    (tmp_path / "tried.conf").write_text(text)
    where = ["-p", f"{tmp_path}/", "-e", "stderr", "-g", f"pid {tmp_path}/pid;"]
    done = subprocess.run([NGINX, "-t", *where, "-c", f"{tmp_path}/tried.conf"], capture_output=True, text=True)
    assert "syntax is ok" in done.stderr


def test_gateway_takes_it(folder: Path, tmp_path: Path) -> None:
    assert (
        main(["--static", "/static=static", "--domain", "a.example", "--domain", "b.example", "--email", "x@a.example"])
        == 0
    )
    text = (
        (folder / "nginx.conf").read_text().replace("/var/log/gateway", str(tmp_path)).replace("/run/", f"{tmp_path}/")
    )
    text = text.replace("/var/lib/gateway", str(tmp_path)).replace("listen 80;", "listen 127.0.0.1:8098;")
    (tmp_path / "tried.conf").write_text(text.replace("listen 443 ssl;", "listen 127.0.0.1:8099 ssl;"))
    command = [sys.executable, "-m", "gateway", "-t", "-p", f"{tmp_path}/", "-c", f"{tmp_path}/tried.conf"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "test is successful" in done.stderr, done.stderr
    assert "mailto:x@a.example" in text


@pytest.mark.parametrize("application", ["async def app(scope, receive, send): ...", "def app(environ, start): ..."])
def test_check_has_nothing_to_say(folder: Path, tmp_path: Path, application: str) -> None:
    (folder / "app.py").write_text(application)
    assert main(["--static", "/static=static", "--domain", "a.example", "--email", "x@a.example"]) == 0
    text = (folder / "nginx.conf").read_text().replace("/var/log/gateway", str(tmp_path))
    (folder / "nginx.conf").write_text(
        text.replace("/var/lib/gateway", str(tmp_path)).replace("pid /run/", f"pid {tmp_path}/")
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "gateway", "check", "-c", "nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
