"""The head that proxy sends: its framing, its method and its target, with what directives put in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving
from tests.fakes import farm
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
        ('proxy_set_header Host "";', b"GET /a?b HTTP/1.1", (), (b"host",)),
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
