"""What one connection carries from a request to the next, and what a worker takes."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import trio

from tests.engine import read_reply, serving


async def test_a_rate_ends_with_its_request(tmp_path: Path) -> None:
    """limit_rate of one location must not slow the next request on the same connection."""
    (tmp_path / "slow").write_bytes(b"s" * 10)
    (tmp_path / "fast").write_bytes(b"f" * 200_000)
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path};
        location /slow {{ limit_rate 100; }} location /fast {{ }} }}"""
    async with serving(text) as engine:
        with trio.fail_after(20):
            data = await engine.raw(
                b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
        assert data.count(b"f") >= 200_000


async def test_a_file_that_became_shorter_cuts_the_connection(tmp_path: Path) -> None:
    """The length is promised already: the client must see that the body is not whole."""
    (tmp_path / "t").write_bytes(b"0123456789")
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; open_file_cache max=9; }}") as engine:
        assert (await engine.get("/t")).body == b"0123456789"
        os.truncate(tmp_path / "t", 6)
        with trio.fail_after(5):
            data = await engine.raw(b"GET /t HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"0123456789" not in data
        assert any("[alert]" not in line and "shorter" in line for line in engine.log.lines)


async def test_head_tells_what_get_would_compress(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_bytes(b"<p>hello</p>" * 100)
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; gzip on; }}") as engine:
        reply = await engine.request("HEAD", "/t.html", {"Accept-Encoding": "gzip"})
        assert reply.header("content-encoding") == b"gzip"
        assert (reply.header("content-length"), reply.body) == (None, b"")


async def test_empty_lines_before_a_request_are_not_kept() -> None:
    async with serving("server { listen 127.0.0.1:80; return 204; }") as engine:
        stream = engine.connect()
        async with stream:
            for _ in range(50):
                await stream.send_all(b"\r\n" * 500)
                await trio.sleep(0.001)
            connection: Any
            (connection,) = engine.worker.connections
            assert len(connection.buffer) < 1000
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert read_reply(await stream.receive_some()).status == 204


async def test_more_connections_than_worker_connections_are_refused() -> None:
    """All are busy: the new one is closed, as nginx does when it has no connection left."""
    async with serving("server { listen 127.0.0.1:80; return 204; }") as engine:
        engine.worker.lane.worker_connections = 1
        async with engine.connect() as first:
            await first.send_all(b"GET / HT")
            await trio.sleep(0.02)
            async with engine.connect() as second:
                with trio.fail_after(2):
                    assert await second.receive_some() == b""
            assert len(engine.worker.connections) == 1
        (alert,) = [line for line in engine.log.lines if "[alert]" in line]
        assert alert.endswith(": 1 worker_connections are not enough")  # nothing of the connection: there is none
        engine.log.lines.clear()


async def test_tcp_nodelay_is_set_unless_switched_off() -> None:
    """Without it the last small part of an answer waits for the client's delayed acknowledgement."""
    text = """server { listen 127.0.0.1:80; location /on { return 204; }
        location /off { tcp_nodelay off; return 204; } }"""
    async with serving(text) as engine:
        for target, expected in (("/off", False), ("/on", True)):
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as ours,
            ):
                theirs, _ = server.accept()
                theirs.setblocking(False)
                engine.worker.acceptor(engine.cycle.listenings[0])(theirs.detach(), bytes(16))
                client = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
                # nothing waits for an acknowledgement in front of a connection's first answer
                for set_by_now in (False, expected):
                    await client.send_all(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target.encode())
                    await client.receive_some()
                    (connection,) = engine.worker.connections
                    with socket.socket(fileno=os.dup(connection.stream.fd)) as copy:
                        assert bool(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is set_by_now
                connection.close()
                await client.aclose()
