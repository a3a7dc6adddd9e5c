"""What an attacker gets before his connection ends: how many bytes are read, how many requests begin, what is kept.

Every figure is a count, so that it says the same on any machine. nginx's limits are the bounds: 10,000 answers that
wait, a mebibyte of overhead beside what is payload, keepalive_requests, concurrent streams, the buffers of a head.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from struct import pack

import pytest
import trio

from gateway.http.h2_connection import Http2Connection
from tests import http2_frames as wire
from tests.engine import Engine, serving

CONF = """
limit_req_zone $uri zone=slow:1m rate=1r/m;
server {
    listen 127.0.0.1:8080; server_name localhost; http2 on; lingering_close off;
    location / { return 200 "text"; }
    location /waits { limit_req zone=slow burst=1000; proxy_pass http://127.0.0.1:1; }
}
"""
_MIB = 1 << 20

Attack = Iterator[bytes]


def literal(index: int, value: bytes) -> bytes:
    return bytes([index, len(value)]) + value


GET = b"\x82\x86" + literal(4, b"/") + literal(1, b"localhost")
WAITS = b"\x82\x86" + literal(4, b"/waits") + literal(1, b"localhost")
POST = b"\x83\x86" + literal(4, b"/waits") + literal(1, b"localhost")


def again(frames: bytes, before: bytes = b"") -> Attack:
    """The same for as long as it is taken, some 64 KiB at a time."""
    yield before
    many = frames * (65536 // len(frames) + 1)
    while True:
        yield many


def streams(block: bytes, behind: str, flags: int = 1) -> Attack:
    """New ones, each with a frame behind it."""
    number = 1
    while True:
        part = b""
        for _ in range(100):
            part += wire.headers(number, block, flags, 16384)
            if behind == "reset":
                part += wire.rst_stream(number, 8)
            elif behind == "overflow":
                part += wire.window_update(number, wire.MAX_WINDOW)
            elif behind == "data":
                part += wire.frame_head(1, wire.DATA, 0, number) + b"x"
            number += 2
        yield part


def bomb() -> Attack:
    """A long field in the table, and references to it."""
    size = bytes([0x7F, 0x80 | (3900 - 127) & 0x7F, (3900 - 127) >> 7])
    yield wire.headers(1, GET + b"\x40\x01a" + size + b"v" * 3900, 1, 16384)
    number = 3
    while True:
        yield wire.headers(number, GET + b"\xbe" * 16000, 1, 16384)
        number += 2


def waiting(count: int) -> bytes:
    return b"".join(wire.headers(1 + 2 * number, WAITS, 1, 16384) for number in range(count))


PING = wire.frame_head(8, wire.PING, 0, 0) + bytes(8)
BEGUN = wire.frame_head(len(GET), wire.HEADERS, 1, 1) + GET
WINDOWS = wire.settings([(4, 65535)]) + wire.settings([(4, 65534)])
EMPTY = wire.frame_head(0, wire.DATA, 0, 1)


async def suffered(engine: Engine, attack: Attack, *, reads: bool = True) -> tuple[int, int]:
    """How many bytes were sent until the server closed (64 MiB say that it never would), how many requests began."""
    sent = requests = 0
    async with engine.connect() as stream, trio.open_nursery() as nursery:

        async def read() -> None:
            with contextlib.suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass

        if reads:
            nursery.start_soon(read)
        with contextlib.suppress(trio.BrokenResourceError), trio.move_on_after(60):
            await stream.send_all(wire.PREFACE + wire.settings([]))
            for part in attack:
                await stream.send_all(part)
                sent += len(part)
                for connection in engine.worker.connections:
                    if isinstance(connection, Http2Connection):
                        requests = max(requests, connection.requests)
                if sent > 64 * _MIB:
                    break
                await trio.sleep(0)
        nursery.cancel_scope.cancel()
    return sent, requests


def words(engine: Engine) -> list[str]:
    return [line for line in engine.log.lines if "while processing HTTP/2 connection" in line]


# What is neither a head nor a body may be 8 MiB and a bit, answers included; what is on its way comes on top of it.
_OVERHEAD = 8.5
FLOOD = "http2 flood detected"


@pytest.mark.parametrize(
    ("attack", "most_mib", "says"),
    [
        (again(PING), _OVERHEAD, FLOOD),
        (again(wire.settings([])), _OVERHEAD, FLOOD),
        (again(wire.settings([(5, 16384 + n) for n in range(900)])), _OVERHEAD, FLOOD),
        (again(WINDOWS, waiting(100)), _OVERHEAD, FLOOD),
        (again(wire.window_update(1, 1), waiting(1)), _OVERHEAD, FLOOD),
        (again(EMPTY, wire.headers(1, POST, 0, 16384)), _OVERHEAD, FLOOD),
        (again(wire.frame_head(91, 77, 0, 0) + bytes(91)), _OVERHEAD, FLOOD),
        (again(wire.frame_head(5, wire.PRIORITY, 0, 3) + pack(">IB", 1, 16)), 0.3, "too many PRIORITY frames"),
        (again(wire.frame_head(0, wire.CONTINUATION, 0, 1), BEGUN), _OVERHEAD, FLOOD),
        (again(wire.frame_head(200, wire.CONTINUATION, 0, 1) + b"\0\1a\1b" * 40, BEGUN), 0.5, "too large header"),
        (bomb(), 0.3, "too large header"),
        (streams(WAITS, "reset"), 1, ""),
        (streams(WAITS, "overflow"), 1, ""),
        (streams(WAITS, "data"), 1, ""),
        (streams(GET, "reset"), 1, ""),
        (streams(GET, ""), 1, ""),
    ],
    ids=[
        "pings", "settings", "long settings", "windows of streams that wait", "window updates", "empty data",
        "unknown frames", "priorities", "empty continuations", "endless continuations", "bomb", "rapid reset",
        "resets by an overflow", "resets by data", "rapid reset of what is answered", "requests"
    ],
)  # fmt: skip
async def test_a_flood_ends_its_connection(attack: Attack, most_mib: float, says: str) -> None:
    async with serving(CONF) as engine:
        sent, requests = await suffered(engine, attack)
        assert sent <= most_mib * _MIB and requests <= 1000  # keepalive_requests
        assert not says or [line for line in words(engine) if says in line]


@pytest.mark.parametrize("frame", [PING, wire.settings([])], ids=["pings", "settings"])
async def test_answers_that_nobody_reads(frame: bytes) -> None:
    """10,000 of them wait, no more; what the sockets hold comes on top of it."""
    async with serving(CONF) as engine:
        sent, _ = await suffered(engine, again(frame), reads=False)
        assert sent <= 2 * _MIB
        assert [line for line in words(engine) if FLOOD in line]
