"""WebSocket through proxy_pass and over uwsgi: trio-websocket on the client's side, it or uWSGI on the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio_websocket

from tests.conformance import peers
from tests.engine import Engine, serving
from tests.http_peers import receive_until

UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'


@asynccontextmanager
async def websocket(engine: Engine, target: str = "/") -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A WebSocket client's connection to the engine, closed with the block."""
    async with trio.open_nursery() as nursery:
        stream = engine.connect()
        connection = await trio_websocket.wrap_client_stream(nursery, stream, "localhost", target)
        async with connection:
            yield connection
        await stream.aclose()


async def converse(connection: trio_websocket.WebSocketConnection) -> None:
    with trio.fail_after(20):
        await connection.send_message(b"hello")
        assert await connection.get_message() == b"HELLO"
        large = bytes(range(97, 123)) * 20_000
        await connection.send_message(large)
        assert await connection.get_message() == large.upper()
        for number in range(50):
            await connection.send_message(b"part %d" % number)
        for number in range(50):
            assert await connection.get_message() == b"PART %d" % number


async def test_through_proxy_pass(tmp_path: Path) -> None:
    async def echo(request: trio_websocket.WebSocketRequest) -> None:
        assert request.path == "/chat?room=1"
        connection = await request.accept()
        try:
            while True:
                message = await connection.get_message()
                assert isinstance(message, bytes)
                await connection.send_message(message.upper())
        except trio_websocket.ConnectionClosed:
            ended.set()

    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, echo, "127.0.0.1", 0, None)
        text = f"""server {{ listen 127.0.0.1:8080;
            location / {{ proxy_pass http://127.0.0.1:{server.port}; {UPGRADE} }} }}"""
        async with serving(text) as engine:
            async with websocket(engine, "/chat?room=1") as connection:
                await converse(connection)
                await connection.ping(b"over all the way")
            assert connection.closed is not None
            assert connection.closed.code == 1000  # the closing handshake went through as well
            with trio.fail_after(5):
                await ended.wait()
        nursery.cancel_scope.cancel()


async def test_a_server_that_refuses(tmp_path: Path) -> None:
    async def refuse(request: trio_websocket.WebSocketRequest) -> None:
        await request.reject(403, body=b"not you")

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, refuse, "127.0.0.1", 0, None)
        text = f"""server {{ listen 127.0.0.1:8080;
            location / {{ proxy_pass http://127.0.0.1:{server.port}; {UPGRADE} }} }}"""
        async with serving(text) as engine:
            client = engine.connect()
            await client.send_all(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert (await receive_until(client, b"not you")).startswith(b"HTTP/1.1 403")
            await client.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.skipif(not peers.UWSGI, reason="pyuwsgi is not installed")
async def test_over_uwsgi(tmp_path: Path) -> None:
    with peers.uwsgi(tmp_path, "uwsgi", "wsgi_websocket.py") as path:
        text = f"""server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass unix:{path};
            uwsgi_param REQUEST_METHOD $request_method; uwsgi_param PATH_INFO $document_uri;
            uwsgi_param QUERY_STRING $query_string; uwsgi_param SERVER_PROTOCOL $server_protocol; }} }}"""
        async with serving(text) as engine, websocket(engine) as connection:
            await converse(connection)
            await connection.send_message(b"end")
            with trio.fail_after(10), pytest.raises(trio_websocket.ConnectionClosed):
                await connection.get_message()
