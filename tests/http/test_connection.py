"""What a client's connection does between and after requests."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.engine import serving

SLOW = """
limit_req_zone $uri zone=one:1m rate=10r/s;
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
            await trio.sleep(0.02)
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


@pytest.mark.parametrize(("target", "answer"), [("/", b""), ("/return", b"HTTP/1.1 200 "), ("/none", b"HTTP/1.1 404 ")])
@pytest.mark.parametrize(
    ("field", "body"),
    [
        (b"Content-Length: 10", b"12345"),
        (b"Content-Length: 10", b""),
        (b"Transfer-Encoding: chunked", b"a\r\n12345"),
        (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n"),
        (b"Transfer-Encoding: chunked", b"5"),
    ],
)
async def test_a_client_that_ends_within_a_body_that_is_wanted_gets_no_answer(
    target: str, answer: bytes, field: bytes, body: bytes, tmp_path: Path
) -> None:
    text = f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:8080;
        location / {{ uwsgi_pass 127.0.0.1:1; }}
        location /return {{ return 200 x; }} location /none {{ root {tmp_path}; }} }}"""
    async with serving(text) as engine:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (target.encode(), field)
        data = await engine.raw(head + body, end=True)
        assert data.startswith(answer) and bool(data) is bool(answer)
