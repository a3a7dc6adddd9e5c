from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.engine import Engine, read_reply
from tests.fakes import Peer, answer, dribble, read_packet
from tests.upstream.exchange.test_exchange import lines, one

BODY = bytes(range(256)) * 20_000  # 5 MB, more than sockets and buffers hold
HEAD = b"Content-Type: a/b\r\n"
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
UNSIZED = HEAD + b"\r\n" + BODY


async def ask(engine: Engine) -> trio.SocketStream:
    client = engine.connect()
    await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return client


async def drain(client: trio.SocketStream) -> bytes:
    data = bytearray()
    async with client:
        async for chunk in client:
            data += chunk
    return bytes(data)


def telling(data: bytes, sent: trio.Event) -> Peer:
    """Send an answer, and tell when all of it is with the kernel."""

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(data)
        sent.set()

    return peer


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("data", [SIZED, UNSIZED])
async def test_large_answers(data: bytes, buffering: str, tmp_path: Path) -> None:
    async with one(answer(data), tmp_path, f"uwsgi_buffering {buffering};") as engine:
        assert read_reply(await drain(await ask(engine))).body == BODY


async def test_the_client_does_not_hold_the_upstream(tmp_path: Path) -> None:
    for data in (SIZED, UNSIZED):
        sent = trio.Event()
        async with one(telling(data, sent), tmp_path) as engine:
            client = await ask(engine)
            with trio.fail_after(5):
                await sent.wait()  # the client has not read a byte
            (warning,) = lines(engine, "warn")
            assert f"an upstream response is buffered to a temporary file {tmp_path}/" in warning
            assert "while reading upstream" in warning
            assert read_reply(await drain(client)).body == BODY
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("conf", ["uwsgi_buffering off;", "uwsgi_max_temp_file_size 0;"])
async def test_or_it_does(conf: str, tmp_path: Path) -> None:
    sent = trio.Event()
    async with one(telling(SIZED, sent), tmp_path, conf) as engine:
        client = await ask(engine)
        with trio.move_on_after(0.3):
            await sent.wait()
        assert not sent.is_set()
        assert read_reply(await drain(client)).body == BODY
        assert lines(engine, "warn") == []


async def test_temporary_file_is_limited(tmp_path: Path) -> None:
    sent = trio.Event()
    async with one(telling(SIZED, sent), tmp_path, "uwsgi_max_temp_file_size 1m;") as engine:
        client = await ask(engine)
        with trio.move_on_after(0.3):
            await sent.wait()
        assert not sent.is_set()
        assert read_reply(await drain(client)).body == BODY


async def test_slow_client_and_slow_upstream(tmp_path: Path) -> None:
    """Every byte comes, in order, whichever side is slower for the moment."""

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(UNSIZED[:200_000])
        for at in range(200_000, len(UNSIZED), 100_000):
            await trio.sleep(0.001)
            await stream.send_all(UNSIZED[at : at + 100_000])

    async with one(peer, tmp_path) as engine:
        client = await ask(engine)
        data = bytearray()
        async with client:
            while chunk := await client.receive_some(30_000 if len(data) < 2_000_000 else 65536):
                data += chunk
                if len(data) % 7 == 0:
                    await trio.sleep(0.002)
        assert read_reply(bytes(data)).body == BODY


TYPES = "uwsgi_unbuffered_types text/other text/event-stream;"


@pytest.mark.parametrize(
    ("conf", "head"),
    [
        ("uwsgi_buffering off;", b""),
        ("", b"X-Accel-Buffering: no\r\n"),
        (TYPES, b"Content-Type: Text/Event-Stream; charset=utf-8\r\n"),
    ],
)
async def test_unbuffered_goes_on_as_it_comes(conf: str, head: bytes, tmp_path: Path) -> None:
    go_on = trio.Event()

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(head + HEAD + b"\r\n")
        await trio.sleep(0.02)
        await stream.send_all(b"one")
        await go_on.wait()
        await stream.send_all(b"two")

    async with one(peer, tmp_path, conf) as engine:
        client = await ask(engine)
        data = b""
        with trio.fail_after(5):
            while b"one" not in data:
                data += await client.receive_some()
        go_on.set()
        data += await drain(client)
        assert read_reply(data).body == b"onetwo"


@pytest.mark.parametrize(
    ("conf", "head"),
    [
        ("", b""),
        (TYPES, b"Content-Type: text/html\r\n"),
        (TYPES, b"Content-Type: text/other\r\nX-Accel-Buffering: yes\r\n"),
    ],
)
async def test_buffered_waits_for_a_buffer(conf: str, head: bytes, tmp_path: Path) -> None:
    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(head + HEAD + b"\r\none")
        await trio.sleep(0.3)
        await stream.send_all(b"two")

    async with one(peer, tmp_path, conf) as engine:
        client = await ask(engine)
        with trio.move_on_after(0.1):
            raise AssertionError(await client.receive_some())
        assert read_reply(await drain(client)).body == b"onetwo"


async def test_buffering_can_be_switched_on_by_the_answer(tmp_path: Path) -> None:
    sent = trio.Event()
    peer = telling(b"X-Accel-Buffering: yes\r\n" + SIZED, sent)
    async with one(peer, tmp_path, "uwsgi_buffering off;") as engine:
        client = await ask(engine)
        with trio.fail_after(5):
            await sent.wait()
        assert read_reply(await drain(client)).body == BODY
    sent = trio.Event()
    peer = telling(b"X-Accel-Buffering: yes\r\n" + SIZED, sent)
    async with one(peer, tmp_path, "uwsgi_buffering off; uwsgi_ignore_headers X-Accel-Buffering;") as engine:
        client = await ask(engine)
        with trio.move_on_after(0.2):
            await sent.wait()
        assert not sent.is_set()
        await drain(client)


@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_client_that_stops_reading(buffering: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    conf = f"uwsgi_buffering {buffering}; send_timeout 5s; uwsgi_max_temp_file_size 0; uwsgi_read_timeout 300s;"
    async with one(answer(SIZED), tmp_path, conf) as engine:
        began = trio.current_time()
        client = await ask(engine)
        while engine.worker.connections:
            await trio.sleep(0.1)
        assert 4.9 < trio.current_time() - began < 7
        assert "client timed out (110: Connection timed out) while sending to client" in lines(engine, "info")[0]
        await client.aclose()


@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_client_that_goes(buffering: str, tmp_path: Path) -> None:
    conf = f"uwsgi_buffering {buffering}; uwsgi_max_temp_file_size 0;"
    async with one(answer(SIZED), tmp_path, conf) as engine:
        client = await ask(engine)
        await client.receive_some(1000)
        await client.aclose()
        with trio.fail_after(5):
            while engine.worker.connections:
                await trio.sleep(0.01)


async def test_limit_rate(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with one(answer(HEAD + b"\r\n" + b"x" * 100_000), tmp_path, "uwsgi_limit_rate 10k;") as engine:
        began = trio.current_time()
        reply = await engine.get("/")
        assert len(reply.body) == 100_000
        assert 7 < trio.current_time() - began < 13


async def test_dribble_of_a_large_answer(tmp_path: Path) -> None:
    data = UNSIZED[:60_000]
    for buffering in ("on", "off"):
        async with one(dribble(data, 0, 997), tmp_path, f"uwsgi_buffering {buffering};") as engine:
            assert (await engine.get("/")).body == data.partition(b"\r\n\r\n")[2]


async def test_no_room_for_the_temporary_file(tmp_path: Path) -> None:
    async with one(answer(SIZED), tmp_path, f"uwsgi_temp_path {tmp_path}/none/none;") as engine:
        client = await ask(engine)
        data = await drain(client)
        assert data.startswith(b"HTTP/1.1 200 OK") and len(data) < len(BODY)
        assert "failed (2: No such file or directory)" in lines(engine, "crit")[0]


async def test_states(tmp_path: Path) -> None:
    states = '"$upstream_response_length $upstream_bytes_received $upstream_bytes_sent"'
    seen: list[str] = []

    async with one(answer(SIZED), tmp_path, f"set $s {states};") as engine:
        client = await ask(engine)
        await trio.sleep(0.05)
        connection: Any
        (connection,) = engine.worker.connections
        request = connection.request
        assert request is not None
        attempt = request.upstream.attempt
        await drain(client)
        seen.append(f"{attempt.body_received} {attempt.received} {attempt.sent > 50}")
    assert seen == [f"{len(BODY)} {len(SIZED)} True"]
