from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio

from gateway.core.lane import Lane, Stream
from gateway.upstream.exchange.keepalive import Keepalive, PeerConnection
from gateway.upstream.peers.address import Address, inet_address

HERE = inet_address("127.0.0.1", 1)
THERE = inet_address("127.0.0.1", 2)


@pytest.fixture
async def lane(nursery: trio.Nursery) -> AsyncIterator[Lane]:
    lane = Lane(clock=trio.current_time)
    await nursery.start(lane.run)
    yield lane
    nursery.cancel_scope.cancel()


def connection(lane: Lane, address: Address = HERE) -> tuple[PeerConnection, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return PeerConnection(Stream(lane, ours.detach(), readable=False), address.sockaddr, False, lane.now), theirs


async def settle() -> None:
    await trio.sleep(0.02)


async def test_last_used_goes_first_and_the_oldest_makes_room(lane: Lane) -> None:
    cache = Keepalive(2)
    pairs = [connection(lane) for _ in range(3)]
    for one, _ in pairs:
        assert cache.give(one, None, lane.now)
    assert pairs[0][0].stream.closed
    assert cache.take(THERE.sockaddr, None) is None
    assert cache.take(HERE.sockaddr, None) is pairs[2][0]
    assert cache.take(HERE.sockaddr, None) is pairs[1][0]
    assert cache.take(HERE.sockaddr, None) is None
    for one, theirs in pairs:
        one.stream.close()
        theirs.close()


async def test_local_connections_stay_with_their_location(lane: Lane) -> None:
    for local in (True, False):
        cache = Keepalive(local=local)
        one, theirs = connection(lane)
        mine, other = object(), object()
        assert cache.give(one, mine, lane.now)
        assert (cache.take(HERE.sockaddr, other) is None) == local
        cache.close()
        one.stream.close()
        theirs.close()


async def test_limits(lane: Lane) -> None:
    one, theirs = connection(lane)
    one.requests = 5
    assert not Keepalive(requests=5).give(one, None, lane.now)
    assert not Keepalive(time_s=10).give(one, None, lane.now + 11)
    assert not Keepalive(0).give(one, None, lane.now)
    one.stream.close()
    theirs.close()


async def test_a_close_while_idle_is_noticed(lane: Lane) -> None:
    endings: tuple[Callable[[Any], object], ...] = (lambda s: s.close(), lambda s: s.send(b"unasked"))
    for ending in endings:
        cache = Keepalive()
        one, theirs = connection(lane)
        assert cache.give(one, None, lane.now)
        ending(theirs)
        await settle()
        assert one.stream.closed and not cache.idle
        theirs.close()


async def test_what_came_before_is_noticed_too(lane: Lane) -> None:
    one, theirs = connection(lane)
    theirs.send(b"unasked")
    await settle()
    cache = Keepalive()
    cache.give(one, None, lane.now)
    assert one.stream.closed and not cache.idle
    theirs.close()


async def test_idle_time(lane: Lane, autojump_clock: trio.testing.MockClock) -> None:
    cache = Keepalive(timeout_s=7)
    one, theirs = connection(lane)
    assert cache.give(one, None, lane.now)
    await trio.sleep(6.5)
    assert not one.stream.closed
    await trio.sleep(1)
    assert one.stream.closed and not cache.idle
    theirs.close()


async def test_a_taken_connection_is_not_watched(lane: Lane) -> None:
    cache = Keepalive()
    one, theirs = connection(lane)
    one.stream.send(b"12345")
    cache.give(one, None, lane.now)
    assert cache.take(HERE.sockaddr, None) is one
    assert one.sent == 0
    theirs.send(b"answer")
    await settle()
    assert one.stream.recv() == b"answer"
    one.stream.close()
    theirs.close()
