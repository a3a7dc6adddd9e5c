"""Sockets of datagrams in the lane."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest
import trio

from gateway._fast.datagrams import Datagrams, open_datagrams
from gateway._fast.lane import sockaddr_text
from gateway.core.lane import Lane
from gateway.core.transport import pack_tcp
from tests.lanes import running


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(2):
        while not condition():
            await trio.sleep(0.005)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
async def test_there_and_back(family: int, host: str) -> None:
    server = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    server.bind((host, 0))
    port = server.getsockname()[1]
    seen: list[tuple[bytes, bytes, bytes | None]] = []
    failed: list[int] = []
    back: list[bytes] = []
    async with running() as lane:
        listening = Datagrams(lane, server.fileno(), lambda *found: seen.append(found), failed.append, shared=True)
        client = open_datagrams(lane, pack_tcp(host, port), lambda data, *_: back.append(data), failed.append)
        assert client.send(b"one") == 0
        assert client.send(b"") == 0
        assert client.send(b"x" * 30_000) == 0
        await until(lambda: len(seen) == 3)
        assert [data for data, _, _ in seen] == [b"one", b"", b"x" * 30_000]
        assert sockaddr_text(seen[0][1])[0] == host.encode()
        assert listening.send(b"back", seen[0][1]) == 0
        await until(lambda: back)
        assert (back, client.received, listening.sent) == ([b"back"], 4, 4)
        client.close()
        client.close()
        listening.close()
        assert server.fileno() >= 0
    server.close()


async def test_a_wildcard_socket_knows_where_a_datagram_was_sent_to() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    server.bind(("0.0.0.0", 0))
    server.setsockopt(socket.IPPROTO_IP, 8, 1)
    port = server.getsockname()[1]
    seen: list[tuple[bytes, bytes, bytes | None]] = []
    failed: list[int] = []
    async with running() as lane:
        listening = Datagrams(lane, server.fileno(), lambda *found: seen.append(found), failed.append, shared=True)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind(("127.0.0.1", 0))
        client.sendto(b"a", ("127.0.0.2", port))
        await until(lambda: seen)
        _, peer, local = seen[0]
        assert local == bytes([127, 0, 0, 2])
        assert listening.send(b"b", peer, local) == 0
        client.settimeout(2)
        assert await trio.to_thread.run_sync(client.recvfrom, 10) == (b"b", ("127.0.0.2", port))
        listening.close()
        client.close()
    server.close()


async def test_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    seen: list[bytes] = []
    failed: list[int] = []
    async with running() as lane:
        source = Datagrams(lane, one.detach(), lambda data, *_: seen.append(data), failed.append)
        source.pause()
        other.send(b"later")
        await trio.sleep(0.05)
        assert (seen, source.paused) == ([], True)
        source.resume()
        await until(lambda: seen)
        assert seen == [b"later"]
    other.close()


async def test_nobody_there() -> None:
    refused: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with running() as lane:
        client = open_datagrams(lane, pack_tcp("127.0.0.1", port), lambda *found: None, refused.append)
        client.send(b"a")
        await until(lambda: refused)
        assert refused == [errno.ECONNREFUSED]


def test_own_side_fails() -> None:
    lane = Lane()
    with pytest.raises(OSError, match="Cannot assign") as caught:
        open_datagrams(
            lane, pack_tcp("127.0.0.1", 1), lambda *found: None, print, local=pack_tcp("192.0.2.1", 0)
        )
    assert caught.value.filename == b"bind()"
    lane.release()
