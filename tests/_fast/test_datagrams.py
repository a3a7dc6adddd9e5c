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
        open_datagrams(lane, pack_tcp("127.0.0.1", 1), lambda *found: None, print, local=pack_tcp("192.0.2.1", 0))
    assert caught.value.filename == b"bind()"
    lane.release()


SIZES = [1200] * 70 + [900] + [1200, 1300, 1300, 5] + [40] * 3


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("local", [None, socket.inet_aton("127.0.0.1")])
async def test_many_at_once_for_several_peers(segments: bool, local: bytes | None) -> None:
    """In order for each, whole, and with few calls."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    server.bind(("127.0.0.1", 0))
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(2)]
    for peer in peers:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        peer.bind(("127.0.0.1", 0))
    try:
        async with running() as lane:
            ours = Datagrams(lane, server.fileno(), lambda *_: None, lambda number: None, shared=True)
            packets = [[bytes((who, at)) + bytes(size - 2) for at, size in enumerate(SIZES)] for who in range(2)]
            raw = [pack_tcp("127.0.0.1", peer.getsockname()[1]) for peer in peers]
            for who in range(2):
                ours.send_all([(packet, raw[who]) for packet in packets[who][:40]], local, segments)
            ours.send_all([(packet, raw[0]) for packet in packets[0][40:]], local, segments)
            ours.send_all([(packet, raw[1]) for packet in packets[1][40:]], local, segments)
            for who, peer in enumerate(peers):
                assert [peer.recv(2000) for _ in SIZES] == packets[who]
            assert ours.sent == 2 * sum(SIZES)
            calls = ours.calls
            assert calls <= 2 * (6 if segments else 3)
            both = [(packets[at % 2][0], raw[at % 2]) for at in range(10)]
            ours.send_all(both, local, segments)
            assert [peer.recv(2000)[0] for peer in peers for _ in range(5)] == [0] * 5 + [1] * 5
            nowhere = pack_tcp("127.0.0.1", 0)  # which is refused
            ours.send_all([(b"lost", nowhere), (b"kept", raw[0])], local, segments)
            assert peers[0].recv(2000) == b"kept"
            ours.send_all([], local, segments)
            ours.close()
            ours.send_all(both, local, segments)
    finally:
        for opened in (server, *peers):
            opened.close()
