"""What a client's connection does between and after requests."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from tests.engine import Engine, serving
from tests.lanes import until
from tests.modules.http.test_log import serving as serving_with_logs

SLOW = """
limit_req_zone $uri zone=one:1m rate=1r/s;
server {
    listen 127.0.0.1:8080;
    location / { limit_req zone=one burst=5; }
}
"""


async def test_a_request_under_way_when_the_worker_ends_is_the_last_of_its_connection() -> None:
    async with serving(SLOW) as engine:
        await engine.get("/slow")
        data = b""
        async with engine.connect() as stream:
            await stream.send_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: [each for each in engine.worker.connections if getattr(each, "request", None)], 30)
            engine.worker.close_idle()
            async for chunk in stream:
                data += chunk
        assert data.startswith(b"HTTP/1.1 404 ") and b"Connection: close" in data


async def test_a_request_that_has_come_when_the_worker_ends_is_answered() -> None:
    # Idle as far as anybody has looked: to close without looking would reset it.
    async with serving("server { listen 127.0.0.1:8080; location / { return 200 x; } }") as engine:
        async with engine.connect() as stream:
            await stream.send_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
            data = await stream.receive_some()
            assert b"Connection: keep-alive" in data
            stream.socket._sock.send(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")  # type: ignore[attr-defined]
            engine.worker.close_idle()
            data = b"".join([chunk async for chunk in stream])
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") and b"Connection: close" in data


async def test_an_idle_connection_closes_when_the_worker_ends() -> None:
    text = "server { listen 127.0.0.1:8080; location / { return 200 x; } }"
    async with serving(text) as engine, engine.connect() as stream:
        await stream.send_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream.receive_some()
        engine.worker.close_idle()
        assert not await stream.receive_some()


async def test_an_idle_connection_closes_when_worker_shutdown_timeout_is_over() -> None:
    text = "server { listen 127.0.0.1:8080; keepalive_min_timeout 60s; location / { return 200 x; } }"
    async with serving(text) as engine, engine.connect() as stream:
        await stream.send_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream.receive_some()
        engine.worker.close_idle()
        (connection,) = engine.worker.connections
        connection.abort()
        assert not engine.worker.connections
        assert not await stream.receive_some()


async def left_half_open(engine: Engine, request: bytes, *, wait: str = "") -> bytes:
    """What a client gets that closes its side at once, and reads when the log has these words."""
    client = engine.connect()
    async with client:
        await client.send_all(request)
        await client.send_eof()
        with trio.fail_after(10):
            while wait and not any(wait in line for line in engine.log.lines):
                await trio.sleep(0.001)
            return b"".join([part async for part in client])


@pytest.mark.parametrize("inside", ["", "gzip on; gzip_types *;"])
async def test_a_client_that_has_closed_its_side_gets_what_its_socket_takes(inside: str, tmp_path: Path) -> None:
    """nginx's writer: once it has to wait, with a handler that is through, a client that closed its side is gone."""
    (tmp_path / "big").write_bytes(random.Random(1).randbytes(4_000_000))
    (tmp_path / "small").write_bytes(b"small")
    ask = b"%b HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n%b\r\n"
    text = f"""log_format l "$uri $status"; access_log {tmp_path}/log l;
        server {{ listen 127.0.0.1:80; root {tmp_path}; {inside} }}"""
    async with serving_with_logs(text) as engine:
        assert b"small" in await left_half_open(engine, ask % (b"GET /small", b""))
        data = await left_half_open(engine, ask % (b"GET /big", b""), wait="client prematurely closed connection")
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") and len(data) < 3_000_000
        # one that owes us a body which nobody wants is not looked at
        data = await left_half_open(engine, ask % (b"GET /big", b"Content-Length: 3\r\n"))
        assert len(data) > 4_000_000
        told = [line for line in engine.log.lines if "prematurely closed" in line and "/big" in line]
    assert len(told) == 1 and "connection while sending response to client" in told[0]
    assert (tmp_path / "log").read_text() == "/small 200\n/big 200\n/big 200\n"


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (b"GET / HT", "request line"),
        (b"\r\n\r\nGET", "request line"),
        (b"GET / HTTP/1.1\r\n", "request headers"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", "request headers"),
    ],
)
async def test_what_was_being_read_when_the_client_went_or_was_late(part: bytes, what: str) -> None:
    async with serving("client_header_timeout 100ms; server { listen 127.0.0.1:8080; return 200 x; }") as engine:
        async with engine.connect() as stream:
            await stream.send_all(part)
            await stream.send_eof()
            assert b"".join([data async for data in stream]) == b""
        async with engine.connect() as stream:
            await stream.send_all(part)
            assert b"".join([data async for data in stream]) == b""
        told = [line for line in engine.log.lines if f" while reading client {what}, client:" in line]
    assert len(told) == 2
    assert "client prematurely closed connection" in told[0] and "client timed out (110: Conn" in told[1]
