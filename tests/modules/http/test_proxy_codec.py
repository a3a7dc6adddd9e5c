"""The head that proxy sends: its framing, its method and its target, with what directives put in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving
from tests.fakes import farm
from tests.http_peers import Heard, answering, proxied
from tests.modules.http.test_proxy import http_peer


@pytest.mark.parametrize(
    ("directives", "line", "present", "absent"),
    [
        ("", b"GET /a?b HTTP/1.1", (), (b"content-length", b"transfer-encoding")),
        ("proxy_http_version 1.0;", b"GET /a?b HTTP/1.0", (), (b"content-length",)),
        ("proxy_method PUT;", b"PUT /a?b HTTP/1.1", (), ()),
        ("proxy_method $arg_none;", b" /a?b HTTP/1.1", (), ()),
        ("proxy_set_body $args;", b"GET /a?b HTTP/1.1", (b"Content-Length: 1",), ()),
        ("proxy_set_body $args; proxy_set_header Content-Length 1;", b"GET /a?b HTTP/1.1", (b"Content-Length: 1",), ()),
        ("rewrite ^ /c break;", b"GET /c?b HTTP/1.1", (), ()),
    ],
)
async def test_the_head(
    directives: str, line: bytes, present: tuple[bytes, ...], absent: tuple[bytes, ...], tmp_path: Path
) -> None:
    asked: list[bytes] = []
    size = 1 if "set_body" in directives else 0
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked, size=size))
        text = f"server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://{address}; {directives} }} }}"
        async with serving(text) as engine:
            assert (await engine.get("/a?b")).body == b"ok\n"
    head, _, body = asked[0].partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    assert first == line
    assert body == b"b" * size
    names = [field.lower().partition(b":")[0] for field in fields]
    assert len(set(names)) == len(names)
    for field in present:
        assert field in fields
    for name in absent:
        assert name not in names


async def test_head_has_no_body_behind_it(tmp_path: Path) -> None:
    asked: list[bytes] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"))
        text = f"server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://{address}; }} }}"
        async with serving(text) as engine:
            reply = await engine.request("HEAD", "/")
            assert (reply.status, reply.header("content-length"), reply.body) == (200, b"3", b"")
    assert asked[0].startswith(b"HEAD / ")


@pytest.mark.parametrize(
    ("inside", "sent"),
    [
        ('proxy_set_header Host "";', b"Host: %b"),  # HTTP/1.1 has one always: what it is without the directive
        ("proxy_set_header Host $http_none;", b"Host: %b"),
        ('proxy_http_version 1.0; proxy_set_header Host "";', b""),
        ("proxy_set_header HOST $host;", b"Host: localhost"),
        ("proxy_set_header host $http_host;", b"Host: localhost"),
        ("proxy_set_header Host a; proxy_set_header host b;", b"Host: b"),
        ("proxy_set_header X-A 1; proxy_set_header Host c;", b"Host: c"),
    ],
)
async def test_host(inside: str, sent: bytes, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(heard=heard))
        text = f"server {{ listen 127.0.0.1:80; location / {{ {inside} proxy_pass http://{address}; }} }}"
        async with serving(text) as engine:
            assert (await engine.get("/")).status == 200
    lines = heard[0].raw.split(b"\r\n")
    hosts = [line for line in lines if line.lower().startswith(b"host:")]
    if not sent:
        assert hosts == []
    else:  # one, and the first of all fields
        assert hosts == [sent % address.encode() if b"%" in sent else sent] == lines[1:2]


async def test_http_1_0_without_host_behind_http_host(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with proxied(answering(heard=heard), tmp_path, "proxy_set_header Host $http_host;") as engine:
        await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert heard[0].fields[b"host"].startswith(b"127.0.0.1:")


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (b"http://host?q=1", b"/?q=1"),
        (b"http://host?", b"/"),
        (b"http://host", b"/"),
        (b"http://host/?q", b"/?q"),
        (b"http://host/a//b/%41", b"/a//b/%41"),
    ],
)
async def test_a_target_in_absolute_form_is_passed_on_with_a_path(asked: bytes, target: bytes, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with proxied(answering(heard=heard), tmp_path) as engine:
        await engine.raw(b"GET %b HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n" % asked)
    assert heard[0].line == b"GET %b HTTP/1.1" % target


async def test_the_error_log_names_what_was_asked_for() -> None:
    text = """server { listen 127.0.0.1:80; location / { proxy_pass http://127.0.0.1:1; }
        location /u/ { proxy_pass http://127.0.0.1:1/v%20/; } }"""
    async with serving(text) as engine:
        await engine.get("/a?b=c")
        await engine.get("/u/w?x")
        found = [line for line in engine.log.lines if "connect() failed" in line]
    assert 'upstream: "http://127.0.0.1:1/a?b=c"' in found[0] and 'upstream: "http://127.0.0.1:1/v%20/w?x"' in found[1]
