from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.parser import Source, parse
from gateway.config.tree import names
from gateway.dev.peer_state import Peer
from gateway.dev.start_block import Style, as_json, listens, peers, start_block


def source(http: str) -> Source:
    return parse(f"events {{}} http {{ {http} }}")


def rows(http: str) -> dict[str, tuple[list[str], str]]:
    return {x.address: ([names(each) for each in x.servers], names(x.first)) for x in listens(source(http))}


def test_first_server_is_the_default() -> None:
    assert rows(
        "server { listen 80; server_name a b; } server { listen 80; listen 127.0.0.1:81; server_name c; }"
    ) == {"*:80": (["a b", "c"], "a b"), "127.0.0.1:81": (["c"], "c")}


def test_default_server_parameter() -> None:
    http = "server { listen 80; server_name a; } server { listen 80 default_server; server_name b; }"
    assert rows(http)["*:80"][1] == "b"


def test_addresses() -> None:
    http = "server { listen localhost; listen [::]:80; listen [::1]; listen unix:/x; listen 443 ssl; }"
    found = listens(source(http))
    assert [x.address for x in found] == ["localhost:80", "[::]:80", "[::1]:80", "unix:/x", "*:443"]
    assert [x.tls for x in found] == [False, False, False, False, True]


def test_a_server_without_listen_has_nginx_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert list(rows("server { }")) == ["*:8000"]
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert list(rows("server { }")) == ["*:80"]


def test_peers() -> None:
    found = peers(
        source(
            "upstream app { server 10.0.0.1:3031; server unix:/run/app.sock backup; }"
            "server { location / { uwsgi_pass app; } location /a { uwsgi_pass app; } location /b { uwsgi_pass $x; }"
            "location /c { proxy_pass http://back.example/x; } location /d { proxy_pass http://unix:/s:/x; }"
            "location /e { proxy_pass https://[::1]; } }"
        )
    )
    assert found == [
        Peer("uwsgi", "10.0.0.1:3031", ("10.0.0.1", 3031), "app"),
        Peer("uwsgi", "unix:/run/app.sock", "/run/app.sock", "app"),
        Peer("proxy", "back.example", ("back.example", 80)),
        Peer("proxy", "unix:/s", "/s"),
        Peer("proxy", "[::1]", ("::1", 443), tls=True),
    ]


def test_block(tmp_path: Path) -> None:
    text = start_block(
        source("server { listen 127.0.0.1:8080; server_name a; location / { uwsgi_pass unix:s; } }"),
        title="gateway 1", ready_ms=12.3, file="/x/nginx.conf", folder=tmp_path, stop="Ctrl-C to stop",
        style=Style(False),
    )  # fmt: skip
    assert text.splitlines() == [
        "gateway 1  ready in 12 ms",
        "configuration  /x/nginx.conf (1 file, 7 directives)",
        "",
        "  http://127.0.0.1:8080/  → a (default)",
        "",
        "  uwsgi  unix:s  ✗ does not answer: No such file or directory",
        *[line for line in text.splitlines() if line.startswith("      ")],
        "",
        "Ctrl-C to stop",
    ]
    cause = " ".join(line.strip() for line in text.splitlines() if line.startswith("      "))
    assert cause.startswith(f"nobody listens on {tmp_path}/s: the file does not exist")


def test_as_json(tmp_path: Path) -> None:
    found = json.loads(
        as_json(
            source("server { listen 127.0.0.1:8080; server_name a; location / { uwsgi_pass unix:s; } }"),
            title="gateway 1", ready_ms=12.3, file="/x/nginx.conf", folder=tmp_path,
        )
    )  # fmt: skip
    assert (found["title"], found["ready_ms"], found["configuration"], found["files"]) == (
        "gateway 1", 12, "/x/nginx.conf", 1,
    )  # fmt: skip
    assert found["listens"] == [{"url": "http://127.0.0.1:8080/", "servers": ["a"], "default": "a"}]
    (peer,) = found["upstreams"]
    assert (peer["name"], peer["protocol"], peer["answers"]) == ("unix:s", "uwsgi", False)
    assert peer["cause"].startswith("nobody listens on")


def test_colour_only_when_wanted() -> None:
    assert Style(True).bold("x") == "\x1b[1mx\x1b[0m"
    assert Style(False).bold("x") == "x"
