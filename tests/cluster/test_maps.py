from __future__ import annotations

import pytest
import trio

from gateway.cluster.maps import Map
from gateway.cluster.store import StoreError
from gateway.core.shared_map import SharedMap
from gateway.upstream.peers.sticky import Sessions
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis

pytestmark = needs_redis


def node(redis: Redis) -> tuple[SharedMap, Map]:
    pairs = SharedMap("z", 600_000, synced=True)
    mapped("z", pairs, 1 << 20)
    return pairs, Map("keyval", pairs, sync_with(redis))


async def test_all_nodes_know_all(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        one.set(b"a", b"1")
        other.set(b"b", b"2")
        for part in (ones, others, ones):
            await part.round(store)
        assert [pairs.get(key) for pairs in (one, other) for key in (b"a", b"b")] == [b"1", b"2"] * 2
        other.remove(b"a")
        await others.round(store)
        await ones.round(store)
        assert one.get(b"a") is None
        late, lates = node(redis)
        await lates.round(store)
        assert late.get(b"b") == b"2" and late.get(b"a") is None, "a new node gets all"


async def test_many_at_once(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    for number in range(1200):
        one.set(b"%d" % number, b"x%d" % number)
    async with connected(redis) as store:
        assert await ones.round(store) == 1200
        await others.round(store)
    assert len(other.items()) == 1200 and other.get(b"1199") == b"x1199"


async def test_the_store_was_emptied(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        one.set(b"a", b"1")
        for part in (ones, others):
            await part.round(store)
        redis.ask("FLUSHALL")
        other.set(b"b", b"2")
        for part in (others, ones, others):
            await part.round(store)
        late, lates = node(redis)
        await lates.round(store)
    assert (late.get(b"a"), late.get(b"b")) == (b"1", b"2")


async def test_nothing_is_lost_while_the_store_is_gone(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    with pytest.raises(StoreError):
        async with connected(redis) as store:
            one.set(b"a", b"1")
            redis.kill()
            await ones.round(store)
    redis.start()
    async with connected(redis) as store:
        await ones.round(store)
        await others.round(store)
    assert other.get(b"a") == b"1"


async def test_what_has_ended_leaves_the_store(redis: Redis) -> None:
    one, ones = node(redis)
    async with connected(redis) as store:
        one.set(b"a", b"1", ends=1)
        await ones.round(store)
        await trio.sleep(0.02)
        await ones.round(store)
    assert redis.ask("HLEN", "gateway:{keyval:z}:entries") == b":0\r\n"
    assert redis.ask("ZCARD", "gateway:{keyval:z}:numbers") == b":0\r\n"


async def test_a_session_learned_on_one_node_is_honoured_on_another(redis: Redis) -> None:
    sessions = [Sessions("z", b"up", 60_000, synced=True) for _ in range(2)]
    parts = []
    for each in sessions:
        mapped("z", each)
        parts.append(Map("sticky", each, sync_with(redis)))
    async with connected(redis) as store:
        sessions[0].put(b"client", b"peer-1", create=True)
        for part in parts:
            await part.round(store)
        assert sessions[1].find(b"client") == b"peer-1"
        sessions[1].put(b"client", b"peer-2", create=False)
        for part in (parts[1], parts[0]):
            await part.round(store)
        assert sessions[0].find(b"client") == b"peer-2"
        # one that is used all the time is not told each time
        for _ in range(5):
            sessions[0].put(b"client", b"peer-2", create=False)
        assert await parts[0].round(store) == 0
