"""prologue: a PROXY protocol header and HTTP/2's preface, in any split, before the first request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.engine import serving
from tests.modules.http.test_log import serving as serving_with_logs

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
        told = [line for line in engine.log.lines if "broken header" in line and "while reading PROXY protocol" in line]
        assert len(told) == 1 and re.search(r"\*\d+ broken header", told[0]), "as of a connection with a number"


@pytest.mark.parametrize("cut", [1, len(HEADER), len(HEADER) + 5, len(HEADER) + len(PREFACE)])
async def test_http2_behind_a_header(cut: int) -> None:
    async with serving(CONF) as engine, engine.connect() as stream:
        data = HEADER + PREFACE + b"\0\0\0\x04\0\0\0\0\0"
        await stream.send_all(data[:cut])
        await stream.send_all(data[cut:])
        assert (await stream.receive_some(9))[3:4] == b"\x04"  # SETTINGS


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n", b"[1.2.3.4][11]"),
        (b"PROXY UNKNOWN\r\n", b"[-][-]"),
        (b"PROXY UNKNOWN 1.2.3.4 5.6.7.8 11 22\r\n", b"[-][-]"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c" + bytes(12), b"[-][-]"),  # LOCAL
    ],
)
async def test_a_header_that_names_nobody_is_as_none(header: bytes, values: bytes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = f"""log_format p "[$proxy_protocol_addr][$proxy_protocol_port]"; access_log {log} p;
        server {{ listen 127.0.0.1:80 proxy_protocol; return 200 x; }}"""
    async with serving_with_logs(text) as engine:
        await engine.raw(header + b"GET / HTTP/1.0\r\n\r\n")
    assert log.read_bytes() == values + b"\n"


async def test_the_error_of_a_header_names_the_listening_address() -> None:
    async with serving("server { listen 127.0.0.1:80 proxy_protocol; return 200 x; }") as engine:
        await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
        assert any(
            "while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:80" in line for line in engine.log.lines
        )
