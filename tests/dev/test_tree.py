"""gateway tree: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.dev import tree

CONF = """worker_processes 2;
events {}
http {
    include conf.d/*.conf;
    gzip on;
    add_header A 1;
    upstream app { server 127.0.0.1:1; }
    server {
        listen 8080;
        listen 8081;
        server_name a.example;
        location / { proxy_pass http://app; }
        location = /b { add_header B 1; return 204; }
    }
}
stream { server { listen 9000; proxy_pass 127.0.0.1:1; } }
"""
OTHER = "server { listen 8080 default_server; server_name b.example; include more; }"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text(OTHER)
    (tmp_path / "more").write_text("root /srv;")
    (tmp_path / "nginx.conf").write_text(CONF)
    return tmp_path / "nginx.conf"


def test_what_it_shows(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.main(["-c", str(conf)]) == 0
    said = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[:3] == [
        "nginx.conf", "conf.d/b.conf included at nginx.conf:4", "more included at conf.d/b.conf:1",
    ]  # fmt: skip
    for line in (
        "main says worker_processes 2 nginx.conf:1", "upstream app nginx.conf:7 server 127.0.0.1:1", "listen *:8080",
        "server b.example (default) conf.d/b.conf:1", "says root /srv more:1", "server a.example nginx.conf:8",
        "from outside gzip on nginx.conf:5", "= /b nginx.conf:13 return 204", "hides add_header A 1 nginx.conf:6",
        "/ nginx.conf:12 proxy_pass http://app", "listen *:8081", "the same as above", "stream nginx.conf:16",
    ):  # fmt: skip
        assert line in lines, line
    assert lines.index("= /b nginx.conf:13 return 204") < lines.index("/ nginx.conf:12 proxy_pass http://app")
    assert lines[-1].startswith("Locations stand in the order in which they win")


def test_what_holds_in_each_location(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.main(["-c", str(conf), "--inherited"]) == 0
    assert capsys.readouterr().out.count("gzip on") == 5  # http, two servers, two locations


def test_as_json(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.main(["-c", str(conf), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [Path(each["file"]).name for each in found["files"]] == ["nginx.conf", "b.conf", "more"]
    http = next(each for each in found["blocks"] if each["block"] == "http")
    assert http["listens"][0] == {
        "address": "*:8080", "tls": False, "default": "b.example", "servers": ["b.example", "a.example"],
    }  # fmt: skip
    server = next(each for each in http["blocks"] if each["says"][0]["text"] == "listen 8080")
    assert [each["block"] for each in server["blocks"]] == ["location = /b", "location /"]
    assert [each["text"] for each in server["blocks"][0]["hides"]] == ["add_header A 1"]


def test_one_that_ends_too_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nginx.conf").write_text("events {}\nhttp {\n    server { listen 1; }\n")
    assert tree.main(["-c", str(tmp_path / "nginx.conf")]) == 1
    said = capsys.readouterr()
    assert "listen *:1" in said.out and 'unexpected end of file, expecting "}"' in said.err


def test_none_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.main(["-c", str(tmp_path / "none.conf")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
