"""How much memory an answer or a body takes on its way: the buffers, however large it is."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.http_peers import OK, Heard, Hearing, proxied, talking

PART = bytes(65536)
COUNT = 400  # 25 MiB
MOST = 2 << 20  # the buffers of this side and what the test itself holds of sockets


@asynccontextmanager
async def bounded() -> AsyncIterator[None]:
    """Fails when more than MOST was taken meanwhile."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST


async def count(client: trio.SocketStream) -> int:
    received = 0
    async for data in client:
        received += len(data)
    return received


@pytest.mark.parametrize("client_waits", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("conf", ["", "proxy_max_temp_file_size 0;", "proxy_buffering off;"])
async def test_an_answer(conf: str, framing: str, client_waits: bool, tmp_path: Path) -> None:
    sent = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        if framing == "chunked":
            await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (COUNT * len(PART)))
        for _ in range(COUNT):
            if framing == "chunked":
                await stream.send_all(b"10000\r\n")
            await stream.send_all(PART)
            if framing == "chunked":
                await stream.send_all(b"\r\n")
        if framing == "chunked":
            await stream.send_all(b"0\r\n\r\n")
        sent.set()

    async with proxied(talking(talk), tmp_path, conf) as engine:
        client = engine.connect()
        async with bounded():
            await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if client_waits and not conf:
                with trio.fail_after(20):
                    await sent.wait()  # all of it lies in the temporary file by now, or is on its way there
            elif client_waits:
                with trio.move_on_after(0.3):
                    await sent.wait()
                assert not sent.is_set()  # the upstream is held
            assert await count(client) > COUNT * len(PART)
        await client.aclose()


@pytest.mark.parametrize("conf", ["", "proxy_request_buffering off;"])
async def test_a_body(conf: str, tmp_path: Path) -> None:
    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        left = COUNT * len(PART) - len(hearing.buffer)
        hearing.buffer = b""
        while left:
            left -= len(await stream.receive_some(65536))
        await stream.send_all(OK)

    async with proxied(talking(talk), tmp_path, f"client_max_body_size 0; {conf}") as engine:
        client = engine.connect()
        async with bounded():
            head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            await client.send_all(head % (COUNT * len(PART)))
            for _ in range(COUNT):
                await client.send_all(PART)
            assert await count(client) > len(OK)
        await client.aclose()
