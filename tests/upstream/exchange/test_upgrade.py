from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.engine import Engine
from tests.fakes import Peer, read_packet
from tests.upstream.exchange.test_exchange import lines, one

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"


def echo(first: bytes = b"") -> Peer:
    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + first)
        async for data in stream:
            await stream.send_all(data.upper())

    return peer


async def upgraded(engine: Engine, more: bytes = b"") -> tuple[trio.SocketStream, bytes]:
    """A client and what came behind the head."""
    client = engine.connect()
    await client.send_all(UPGRADE + more)
    data = b""
    while b"\r\n\r\n" not in data:
        data += await client.receive_some()
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching\r\n")
    assert b"\r\nConnection: upgrade" in head and b"\r\nUpgrade: x" in head
    return client, rest


async def receive(client: trio.SocketStream, count: int, data: bytes = b"") -> bytes:
    with trio.fail_after(5):
        while len(data) < count:
            more = await client.receive_some()
            assert more
            data += more
    return data


async def test_bytes_both_ways(tmp_path: Path) -> None:
    async with one(echo(b"hello"), tmp_path) as engine:
        client, rest = await upgraded(engine, b"early")
        assert await receive(client, 10, rest) == b"helloEARLY"
        await client.send_all(b"more")
        assert await receive(client, 4) == b"MORE"
        await client.aclose()


async def test_much_both_ways(tmp_path: Path) -> None:
    async with one(echo(), tmp_path) as engine:
        client, rest = await upgraded(engine)
        data = b"abcdefgh" * 300_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, data)
            assert await receive(client, len(data), rest) == data.upper()
        await client.aclose()


async def test_the_end_of_one_side_ends_both(tmp_path: Path) -> None:
    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbye")

    async with one(peer, tmp_path) as engine:
        client, rest = await upgraded(engine)
        assert await receive(client, 3, rest) == b"bye"
        assert await client.receive_some() == b""
        await client.aclose()


async def test_idle_tunnel(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with one(echo(), tmp_path, "uwsgi_read_timeout 30s;") as engine:
        began = trio.current_time()
        client, _ = await upgraded(engine)
        await trio.sleep(20)
        await client.send_all(b"x")
        assert await receive(client, 1) == b"X"
        assert await client.receive_some() == b""
        assert 49 < trio.current_time() - began < 52
        assert "upstream timed out (110: Connection timed out) while proxying upgraded" in lines(engine, "info")[0]
        await client.aclose()


async def test_a_client_that_sends_keeps_the_tunnel(tmp_path: Path, autojump_clock: MockClock) -> None:
    """uwsgi_read_timeout is about both directions, as in nginx."""
    heard = bytearray()

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        async for data in stream:
            heard.extend(data)

    async with one(peer, tmp_path, "uwsgi_read_timeout 30s;") as engine:
        client, _ = await upgraded(engine)
        for count in range(1, 5):
            await trio.sleep(20)
            await client.send_all(b"x")
            while len(heard) < count:
                await trio.lowlevel.checkpoint()
        assert trio.current_time() >= 80
        await client.aclose()


async def test_the_clients_end_ends_both_when_all_of_it_is_with_the_upstream(tmp_path: Path) -> None:
    heard: list[int] = []

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        count = 0
        async for data in stream:
            count += len(data)
        heard.append(count)
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(b"too late")

    async with one(peer, tmp_path) as engine:
        client, rest = await upgraded(engine)
        await client.send_all(b"x" * 200_000)
        await client.send_eof()
        with trio.fail_after(5):
            assert rest + await client.receive_some() == b""
            while not heard:
                await trio.lowlevel.checkpoint()
        await client.aclose()
    assert heard == [200_000]


async def test_a_client_that_is_reset_ends_the_tunnel(tmp_path: Path) -> None:
    ended = trio.Event()

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + b"x" * 100_000)
        while await stream.receive_some():
            pass
        ended.set()

    async with one(peer, tmp_path) as engine:
        client, _ = await upgraded(engine)
        await client.aclose()  # with what it did not read: a reset
        with trio.fail_after(5):
            await ended.wait()


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"102 Processing", b"199 Own", b"000 None", b"099 Low"])
async def test_a_status_below_200_that_was_not_asked_for(status: bytes, tmp_path: Path) -> None:
    """It is an answer like others, whose body has no framing; only with `Upgrade` it begins a tunnel."""

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        await stream.send_all(b"Status: %b\r\nUpgrade: x\r\n\r\nfirst " % status)
        await trio.sleep(0.01)
        await stream.send_all(b"and last")

    async with one(peer, tmp_path) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status + b"\r\n") and b"\r\nUpgrade: x" in head
        connection = b"upgrade" if status[:3] == b"101" else b"close"
        assert b"\r\nConnection: " + connection in head and b"Transfer-Encoding" not in head
        assert body == b"first and last"
