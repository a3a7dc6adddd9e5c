from __future__ import annotations

import time

import pytest
import trio

from gateway.cluster.rates import Rates
from gateway.cluster.store import StoreError
from gateway.core.template import Template
from gateway.modules.http.limit_req_bucket import Bucket
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis

pytestmark = needs_redis


def node(redis: Redis, rate: int) -> tuple[Bucket, Rates]:
    bucket = Bucket("z", Template("$k", [b"k"]), rate, synced=True)
    mapped("z", bucket)
    return bucket, Rates(bucket, sync_with(redis))


def admitted(bucket: Bucket, key: bytes, times: int, burst: int) -> int:
    now = int(time.monotonic() * 1000)
    return sum(bucket.look(key, burst * 1000, now, True)[0] for _ in range(times))


async def test_a_limit_holds_over_all_nodes(redis: Redis) -> None:
    nodes = [node(redis, 1000) for _ in range(3)]
    async with connected(redis) as store:
        assert admitted(nodes[0][0], b"a", 10, 5) == 6  # the first, and the burst
        for _, rates in nodes:
            await rates.round(store)
        # nobody has asked the others for it yet: one request, and they know
        assert admitted(nodes[1][0], b"a", 1, 5) == 1
        await nodes[1][1].round(store)
        assert admitted(nodes[1][0], b"a", 10, 5) == 0
        assert admitted(nodes[1][0], b"b", 10, 5) == 6, "another key has a bucket of its own"


async def test_what_drains_meanwhile_is_let_in_again(redis: Redis) -> None:
    (one, rates), (other, others) = node(redis, 20_000), node(redis, 20_000)
    async with connected(redis) as store:
        assert admitted(one, b"a", 50, 10) == 11
        assert admitted(other, b"a", 50, 10) == 11
        await rates.round(store)
        await others.round(store)
        assert admitted(other, b"a", 1, 10) == 0, "20 of 10 are in"
        await trio.sleep(1.0)
        assert 5 <= admitted(other, b"a", 50, 10) <= 11


async def test_a_steady_stream_below_the_rate_is_not_limited(redis: Redis) -> None:
    """Both nodes together stay below it, though each brings its requests a round late."""
    nodes = [node(redis, 100_000) for _ in range(2)]
    refused = 0
    async with connected(redis) as store:
        for turn in range(24):
            for bucket, rates in nodes:
                refused += 1 - admitted(bucket, b"a", 1, 5)
                if turn % 2:
                    await rates.round(store)
            await trio.sleep(0.05)
    assert not refused


async def test_nothing_is_lost_while_the_store_is_gone(redis: Redis) -> None:
    one, rates = node(redis, 1000)
    other, others = node(redis, 1000)
    with pytest.raises(StoreError):
        async with connected(redis) as store:
            assert admitted(one, b"a", 10, 5) == 6
            redis.kill()
            await rates.round(store)
    redis.start()
    async with connected(redis) as store:
        assert await rates.round(store) == 1
        admitted(other, b"a", 1, 5)
        await others.round(store)
        assert admitted(other, b"a", 5, 5) == 0


async def test_buckets_end_by_themselves(redis: Redis) -> None:
    one, rates = node(redis, 1000)
    async with connected(redis) as store:
        admitted(one, b"a", 1, 5)
        await rates.round(store)
    key = "gateway:{limit_req:z}:a"
    assert 0 < int(redis.ask("PTTL", key)[1:]) <= 10_000


async def test_a_long_key_holds_over_all_nodes(redis: Redis) -> None:
    """A key that does not fit into a record, which all nodes call by the same name."""
    (one, rates), (other, others) = node(redis, 1000), node(redis, 1000)
    key = b"Bearer " + b"x" * 100
    async with connected(redis) as store:
        assert admitted(one, key, 10, 5) == 6
        await rates.round(store)
        assert admitted(other, key, 1, 5) == 1
        await others.round(store)
        assert admitted(other, key, 10, 5) == 0
