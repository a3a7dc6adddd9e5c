from __future__ import annotations

import pytest
import trio

from gateway.cluster.counts import Counts
from gateway.core.template import Template
from gateway.modules.http.limit_conn import Connections, Full
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis

pytestmark = needs_redis


def node(redis: Redis) -> tuple[Connections, Counts]:
    connections = Connections("z", Template("$k", [b"k"]), synced=True)
    mapped("z", connections)
    return connections, Counts(connections, sync_with(redis))


async def test_a_limit_holds_over_all_nodes(redis: Redis) -> None:
    (one, counts), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        held = [one.enter(b"a", 3) for _ in range(2)]
        await counts.round(store)
        first = other.enter(b"a", 3)
        await others.round(store)
        with pytest.raises(Full):
            other.enter(b"a", 3)
        other.enter(b"b" * 200, 1)  # another key, and a long one

        for record in held:
            one.leave(record)
        await counts.round(store)
        await others.round(store)  # of what was refused
        second = other.enter(b"a", 3)
        third = other.enter(b"a", 3)
        with pytest.raises(Full):
            other.enter(b"a", 3)
        for record in (first, second, third):
            other.leave(record)


async def test_nothing_stays_when_all_have_left(redis: Redis) -> None:
    (one, counts), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        held = [zone.enter(b"a", 9) for zone in (one, other)]
        for part in (counts, others, counts, others):
            await part.round(store)
        one.leave(held[0])
        other.leave(held[1])
        for part in (counts, others):
            await part.round(store)
            part._repeat_at = 0.0
        for part in (counts, others):
            await part.round(store)
    assert (len(one.table), len(other.table)) == (0, 0)
    assert redis.ask("DBSIZE") == b":0\r\n"


async def test_a_node_that_says_nothing_has_none(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cluster.counts._FRESH_MS", 50)
    (one, counts), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        one.enter(b"a", 1)
        await counts.round(store)
        other.leave(other.enter(b"a", 1))
        await others.round(store)
        with pytest.raises(Full):
            other.enter(b"a", 1)
        await trio.sleep(0.1)
        await others.round(store)
        other.leave(other.enter(b"a", 1))


async def test_without_the_store_a_node_counts_its_own(redis: Redis) -> None:
    (one, counts), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        one.enter(b"a", 1)
        await counts.round(store)
        other.leave(other.enter(b"a", 1))
        await others.round(store)
        others.offline()
        other.enter(b"a", 1)
