"""prologue: a PROXY protocol header and HTTP/2's preface, in any split, before the first request."""

from __future__ import annotations

import pytest

from tests.engine import serving

CONF = """
server { listen 127.0.0.1:8080 proxy_protocol; http2 on;
    location / { return 200 "$proxy_protocol_addr $server_protocol"; } }"""
HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize("cut", [1, 10, len(HEADER) - 1, len(HEADER), len(HEADER) + 3])
async def test_a_header_in_two_parts(cut: int) -> None:
    async with serving(CONF) as engine, engine.connect() as stream:
        data = HEADER + REQUEST
        await stream.send_all(data[:cut])
        await stream.send_all(data[cut:])
        answer = b"".join([part async for part in stream])
        assert answer.endswith(b"\r\n\r\n192.0.2.1 HTTP/1.1")


async def test_what_is_no_header_closes() -> None:
    async with serving(CONF) as engine:
        assert await engine.raw(REQUEST) == b""
        assert any("broken header" in line and "while reading PROXY protocol" in line for line in engine.log.lines)


@pytest.mark.parametrize("cut", [1, len(HEADER), len(HEADER) + 5, len(HEADER) + len(PREFACE)])
async def test_http2_behind_a_header(cut: int) -> None:
    async with serving(CONF) as engine, engine.connect() as stream:
        data = HEADER + PREFACE + b"\0\0\0\x04\0\0\0\0\0"
        await stream.send_all(data[:cut])
        await stream.send_all(data[cut:])
        assert (await stream.receive_some(9))[3:4] == b"\x04"  # SETTINGS
