"""What -t warns of beyond nginx."""

from __future__ import annotations

import socket

import pytest

from gateway.config.parser import parse
from gateway.dev.advice import advice
from tests.dev.diagnosis.asking import open_folder

STRANGER = 54321


def warnings(text: str, uid: int = 0) -> list[str]:
    return [str(warning) for warning in advice(parse(text).statements, uid, {uid})]


@pytest.mark.parametrize("line", ["uwsgi_pass unix:/tmp/app.sock;", "proxy_pass http://unix:/tmp/app.sock:/x;"])
def test_a_socket_under_tmp(line: str) -> None:
    (text,) = warnings(f"server {{ location / {{ {line} }} }}")
    assert text.startswith('"/tmp/app.sock" is under /tmp: a service that systemd starts with PrivateTmp=true')
    assert text.endswith("in nginx.conf:1")


def test_in_an_upstream_and_once() -> None:
    block = "upstream a { server unix:/var/tmp/s; } server { location / { uwsgi_pass unix:/var/tmp/s; } }"
    assert len(warnings(block)) == 1


@pytest.mark.parametrize("line", ["uwsgi_pass unix:/run/app.sock;", "uwsgi_pass unix:$x;", "listen unix:/tmp/s;"])
def test_others_are_fine(line: str) -> None:
    assert warnings(f"server {{ {line} }}") == []


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_the_workers_may_not_pass(there: bool) -> None:
    with open_folder() as folder:
        home = folder / "home"
        home.mkdir(0o700)
        with socket.socket(socket.AF_UNIX) as s:
            if there:
                s.bind(f"{home}/app.sock")
            found = warnings(f"location / {{ uwsgi_pass unix:{home}/app.sock; }}", STRANGER)
            assert len(found) == 2  # the folder is under /tmp as well
            assert f"cannot be reached by uid {STRANGER} ({STRANGER})" in found[1]
            assert f"{home} (drwx------" in found[1]
            home.chmod(0o711)
            assert len(warnings(f"location / {{ uwsgi_pass unix:{home}/app.sock; }}", STRANGER)) == 1


def test_timeouts_of_another_family() -> None:
    text = "server { proxy_read_timeout 5m;\n proxy_send_timeout 5m;\n location / { uwsgi_pass 127.0.0.1:1; } }"
    assert warnings(text) == [
        '"proxy_read_timeout" says nothing about "uwsgi_pass", which is what is used here: uwsgi_read_timeout does '
        "in nginx.conf:1",
        '"proxy_send_timeout" says nothing about "uwsgi_pass", which is what is used here: uwsgi_send_timeout does '
        "in nginx.conf:2",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "server { proxy_read_timeout 5m; location / { uwsgi_pass a; } location /b { proxy_pass http://b; } }",
        "location / { uwsgi_read_timeout 5m; uwsgi_pass a; }",
        "http { proxy_read_timeout 5m; server { return 200; } }",
    ],
)
def test_timeouts_that_have_a_use(text: str) -> None:
    assert warnings(text) == []
