"""gateway serve and gateway proxy: what they make of their words; tests/process/test_gateway_run.py starts them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.browser_reload import location
from gateway.dev.foreground import CannotRun
from gateway.dev.run_conf import Place
from gateway.dev.serve import folder_configuration, proxy, proxy_configuration, serve
from gateway.dev.start_block import walk

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")


def _directives(text: str) -> dict[str, list[str]]:
    source = parse(text)
    assert source.error is None
    return {s.name: s.args for s in walk(source.statements)}


def test_a_folder(tmp_path: Path) -> None:
    plain = _directives(folder_configuration(tmp_path, Place(), browse=False, spa=False, cors=False))
    assert plain["root"] == [str(tmp_path)]
    assert "autoindex" not in plain
    assert "try_files" not in plain
    full = _directives(folder_configuration(tmp_path, Place(), browse=True, spa=True, cors=True))
    assert full["autoindex"] == ["on"]
    assert full["try_files"] == ["$uri", "$uri/", "/index.html"]


@pytest.mark.parametrize(
    ("target", "directive", "value"),
    [
        ("3000", "proxy_pass", "http://127.0.0.1:3000"),
        ("localhost:3000", "proxy_pass", "http://localhost:3000"),
        ("http://127.0.0.1:3000/base/", "proxy_pass", "http://127.0.0.1:3000/base/"),
        ("http://127.0.0.1:3000/", "proxy_pass", "http://127.0.0.1:3000"),
        ("https://example.org", "proxy_pass", "https://example.org"),
        ("http://[::1]:3000", "proxy_pass", "http://[::1]:3000"),
        ("http://unix:/run/x.sock", "proxy_pass", "http://unix:/run/x.sock"),
        ("uwsgi://127.0.0.1:3031", "uwsgi_pass", "127.0.0.1:3031"),
        ("uwsgi://unix:/run/x.sock", "uwsgi_pass", "unix:/run/x.sock"),
        ("suwsgi://127.0.0.1:3031", "uwsgi_pass", "suwsgi://127.0.0.1:3031"),
        ("fastcgi://127.0.0.1:9000", "fastcgi_pass", "127.0.0.1:9000"),
        ("scgi://127.0.0.1:9000", "scgi_pass", "127.0.0.1:9000"),
        ("grpc://127.0.0.1:50051", "grpc_pass", "grpc://127.0.0.1:50051"),
        ("grpcs://127.0.0.1:50051", "grpc_pass", "grpcs://127.0.0.1:50051"),
    ],
)
def test_targets(target: str, directive: str, value: str) -> None:
    assert _directives(proxy_configuration(target, Place()))[directive] == [value]


@pytest.mark.parametrize(
    ("target", "says"),
    [("ftp://x", "is none of"), ("http://", "names no host"), ("uwsgi://h", "names no port"),
     ("http://h:x", "h:x"), ("http://h;}", "characters"), ("http://$host", "characters")],
)  # fmt: skip
def test_targets_that_are_none(target: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says):
        proxy_configuration(target, Place())


def test_what_is_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve([str(tmp_path / "missing"), "--print-conf"]) == 1
    assert proxy(["--to", "ftp://x", "--print-conf"]) == 1
    err = capsys.readouterr().err
    assert err.splitlines()[0] == f"gateway serve: {tmp_path}/missing is no folder"
    assert err.count("\n") == 2
    with pytest.raises(SystemExit) as ended:
        proxy(["--to", "3000", "--from", "nonsense"])
    assert ended.value.code == 2


def test_reload_is_for_files_that_are_here() -> None:
    with pytest.raises(SystemExit) as ended:
        proxy(["--to", "3000", "--reload"])
    assert ended.value.code == 2


def test_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert proxy(["--to", "3000", "--from", ":9000", "--print-conf"]) == 0
    assert "listen 127.0.0.1:9000;" in capsys.readouterr().out
    assert proxy(["--to", "3000", "--from", "[::1]:9000", "--print-conf"]) == 0
    assert "listen [::1]:9000;" in capsys.readouterr().out


@pytest.mark.skipif(NGINX is None, reason="nginx is missing")
def test_nginx_takes_them(tmp_path: Path) -> None:
    assert NGINX is not None
    targets = ["3000", "http://127.0.0.1:1/a", "uwsgi://127.0.0.1:1", "fastcgi://127.0.0.1:1", "scgi://127.0.0.1:1"]
    made = [
        proxy_configuration(target, Place(port=8123))
        for target in [*targets, "grpc://127.0.0.1:1", "https://127.0.0.1"]
    ]
    made.append(folder_configuration(tmp_path, Place(port=8123), browse=True, spa=True, cors=True))
    more = location(tmp_path)  # --reload
    made.append(folder_configuration(tmp_path, Place(port=8123), browse=True, spa=False, cors=False, more=more))
    for text in made:
        (tmp_path / "nginx.conf").write_text(text)
        command = [NGINX, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
        done = subprocess.run([*command, "-g", f"pid {tmp_path}/pid;"], capture_output=True, text=True)
        assert "syntax is ok" in done.stderr, text
