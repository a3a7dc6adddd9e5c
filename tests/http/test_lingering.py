"""Lingering close: a client that is still sending when its answer is complete gets to read that answer."""

from __future__ import annotations

import contextlib

import trio

from tests.engine import Engine, serving

SERVER = """
lingering_close always; lingering_timeout %s; lingering_time %s;
server { listen 127.0.0.1:8080; location / { return 200 "answer"; } }
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def answer_of(stream: trio.SocketStream) -> bytes:
    """All that the server sends until it shuts its side."""
    data = b""
    async for chunk in stream:
        data += chunk
    return data


async def gone(engine: Engine) -> None:
    with trio.fail_after(10):
        while engine.worker.connections:
            await trio.sleep(0.005)


async def test_what_the_client_still_sends_is_read_and_the_answer_arrives() -> None:
    async with serving(SERVER % ("10s", "10s")) as engine:
        async with engine.connect() as stream:
            await stream.send_all(REQUEST)
            assert (await answer_of(stream)).endswith(b"answer")
            for _ in range(20):
                await stream.send_all(bytes(1000))  # no reset: it would raise
            assert engine.worker.connections
        await gone(engine)


async def test_it_ends_when_the_client_sends_nothing_any_more() -> None:
    async with serving(SERVER % ("50ms", "60s")) as engine, engine.connect() as stream:
        await stream.send_all(REQUEST)
        await answer_of(stream)
        await gone(engine)


async def test_it_ends_when_the_client_never_stops() -> None:
    async with serving(SERVER % ("60s", "1s")) as engine, engine.connect() as stream:
        await stream.send_all(REQUEST)
        await answer_of(stream)
        with trio.fail_after(10):
            while engine.worker.connections:
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(b"x")
                await trio.sleep(0.005)
