"""However much a client sends, and whatever becomes of it: the others have their turn (gateway._fast.stream)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine import serving
from tests.fakes import silent
from tests.floods import Rounds, flooding
from tests.http_peers import proxied

CHUNKED = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n"
FLOODS = {
    "chunks of one": (CHUNKED, b"1\r\na\r\n"),
    "large chunks": (CHUNKED, b"8000\r\n" + bytes(32768) + b"\r\n"),
    "an extension": (CHUNKED + b"1", b";aaaaaaaaaaaaaaa"),
    "trailers": (CHUNKED + b"0\r\n", b"X: aaaaaaaaaaaa\r\n"),
    "a plain body": (PLAIN, bytes(1000)),
}


@pytest.mark.parametrize("where", [b"/dropped", b"/kept", b"/passed"])
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_body_without_end(flood: str, where: bytes, tmp_path: Path) -> None:
    head, block = FLOODS[flood]
    outside = "client_max_body_size 0; location /dropped { return 200; }"
    inside = "proxy_request_buffering off;" if where == b"/passed" else ""
    async with proxied(silent(), tmp_path, inside, outside) as engine:
        client = engine.connect()
        with flooding(client.socket.fileno(), head % where, block):
            rounds = Rounds(engine.worker.lane)
            await rounds.grown_by(2 << 20)
            # passed on, the body is limited by who takes it; here all are: nobody has more than a share of each side
            assert rounds.fair(2) and rounds.rounds > 5
            assert (await engine.get("/plain")).status == 200
        await client.aclose()


async def test_requests_without_end_in_one_segment() -> None:
    async with serving('server { keepalive_requests 1000000; location / { return 200 ""; } }') as engine:
        client = engine.connect()
        with flooding(client.socket.fileno(), b"", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"):
            connection: Any
            (connection,) = engine.worker.connections
            rounds = Rounds(engine.worker.lane, lambda: connection.requests)
            read = 0
            while read < 1 << 20:
                read += len(await client.receive_some(65536))
            assert 10 < rounds.most <= 65
            await rounds.grown_by(1000)
        await client.aclose()


async def test_lingering_is_no_way_around() -> None:
    async with serving("server { location / { lingering_close always; return 400; } }") as engine:
        client = engine.connect()
        with flooding(client.socket.fileno(), b"", b"no request at all\n"):
            rounds = Rounds(engine.worker.lane)
            await rounds.grown_by(2 << 20)
            assert rounds.fair() and rounds.rounds > 5
        await client.aclose()
