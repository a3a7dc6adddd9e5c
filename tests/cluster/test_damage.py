"""Somebody else writes under our keys, or another clock does: what is read is bounded, and no node goes down."""

from __future__ import annotations

import json
import time

import pytest

from gateway.cluster.counts import Counts
from gateway.cluster.maps import Map
from gateway.cluster.rates import Rates
from gateway.cluster.servers import Servers
from gateway.cluster.store import WrongKeysError
from gateway.cluster.sync import Sync
from gateway.core import shared_map
from gateway.core.logs import Log
from gateway.core.shared_map import SharedMap
from gateway.core.template import Template
from gateway.modules.http.limit_conn import Connections
from gateway.modules.http.limit_req_bucket import Bucket
from gateway.upstream.peers.sticky import Sessions
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.cluster.test_servers import mapped as servers_mapped
from tests.cluster.test_servers import server, upstream
from tests.cluster.test_sync import lines
from tests.engine import MemorySink

pytestmark = needs_redis
RATES, COUNTS, MAP = "gateway:{limit_req:z}:a", "gateway:{limit_conn:z}:a", "gateway:{keyval:z}:"


def rates_of(sync: Sync) -> tuple[Bucket, Rates]:
    bucket = Bucket("z", Template("$k", [b"k"]), 1000, synced=True)
    mapped("z", bucket)
    return bucket, Rates(bucket, sync)


def pairs_of(sync: Sync) -> tuple[SharedMap, Map]:
    pairs = SharedMap("z", 600_000, synced=True)
    mapped("z", pairs, 1 << 20)
    return pairs, Map("keyval", pairs, sync)


@pytest.mark.parametrize(
    ("excess", "at"), [("x", "y"), ("1e400", "0"), ("nan", "nan"), ("9e99", "9e99"), ("-9e99", "0")]
)
async def test_a_bucket_that_nobody_could_have_filled(redis: Redis, excess: str, at: str) -> None:
    bucket, rates = rates_of(sync_with(redis))
    async with connected(redis) as store:
        redis.ask("HSET", RATES, "excess", excess, "at", at)
        bucket.look(b"a", 5000, 1_000_000, True)
        await rates.round(store)
    record = bucket.table.get(b"a")
    assert -100 <= bucket.table.word(record, 1) <= 60 * 1000 + 10_000_000 + 1000, "it drains some day"


async def test_counts_that_no_node_has_written(redis: Redis) -> None:
    connections = Connections("z", Template("$k", [b"k"]), synced=True)
    mapped("z", connections)
    counts = Counts(connections, sync_with(redis))
    async with connected(redis) as store:
        for name, word in (("1", "x"), ("2", "7"), ("3", "-5 1"), ("4", "5 99999999999999999999"), ("5", "9" * 400)):
            redis.ask("HSET", COUNTS, name, word)
        connections.leave(connections.enter(b"a", 1))
        await counts.round(store)
        connections.leave(connections.enter(b"a", 1))
    assert redis.ask("HLEN", COUNTS) == b":0\r\n"


@pytest.mark.parametrize("number", ["x", "-1", "1e300", "nan", "1.5", ""])
async def test_the_last_number_is_none(redis: Redis, number: str) -> None:
    (one, ones), (other, others) = pairs_of(sync_with(redis)), pairs_of(sync_with(redis))
    async with connected(redis) as store:
        one.set(b"a", b"1")
        await ones.round(store)
        redis.ask("SET", MAP + "number", number)
        one.set(b"b", b"2")
        for part in (ones, ones, others):
            await part.round(store)
    assert (other.get(b"a"), other.get(b"b")) == (b"1", b"2")


async def test_entries_that_no_node_has_made(redis: Redis) -> None:
    pairs, part = pairs_of(sync_with(redis))
    sessions = Sessions("z", b"up", 60_000, synced=True)
    mapped("s", sessions)
    kept = Map("sticky", sessions, sync_with(redis))
    made = {"f": "x", "f" * 22: "\0\x05ab", "g" * 22: "\0\x01ab", "h" * 22: "\0", "i" * 16: "s" * 33, "j" * 16: ""}
    for number, (field, payload) in enumerate(made.items(), 1):
        for prefix in (MAP, "gateway:{sticky:z}:"):
            redis.ask("HSET", prefix + "entries", field, payload)
            redis.ask("ZADD", prefix + "numbers", str(number), field)
            redis.ask("ZADD", prefix + "ends", "inf", field)
            redis.ask("SET", prefix + "number", str(number))
    async with connected(redis) as store:
        await part.round(store)
        await kept.round(store)
        pairs.set(b"a", b"1")
        await part.round(store)
    assert [key for key, _, _ in pairs.items()] == [b"a"]
    assert len(sessions.table) == 0


async def test_an_entry_larger_than_any(redis: Redis) -> None:
    (one, ones), (other, others) = pairs_of(sync_with(redis)), pairs_of(sync_with(redis))
    async with connected(redis) as store:
        one.set(b"a", b"1")
        await ones.round(store)
        redis.ask("EVAL", f"redis.call('HSET', '{MAP}entries', 'big', string.rep('x', 5000000))", "0")
        redis.ask("ZADD", MAP + "numbers", "2", "big")
        redis.ask("SET", MAP + "number", "2")
        await others.round(store)
        assert store.received < 1000
        one.set(b"b", b"2")
        await ones.round(store)
        await others.round(store)
    assert (other.get(b"a"), other.get(b"b")) == (b"1", b"2")


async def test_many_large_entries_come_in_several_parts(redis: Redis) -> None:
    (one, ones), (other, others) = pairs_of(sync_with(redis)), pairs_of(sync_with(redis))
    mapped("z", one, 16 << 20)
    mapped("z", other, 16 << 20)
    for number in range(100):
        one.set(b"%d" % number, b"x" * 60_000)
    async with connected(redis) as store:
        await ones.round(store)
        await others.round(store)
    assert len(other.items()) == 100


async def test_keys_of_another_type_are_thrown_away(redis: Redis) -> None:
    sync = sync_with(redis)
    (bucket, rates), (pairs, part) = rates_of(sync), pairs_of(sync)
    other, others = pairs_of(sync_with(redis))
    async with connected(redis) as store:
        redis.ask("SET", RATES, "x")
        for name in ("number", "entries", "numbers", "ends"):
            redis.ask("LPUSH", MAP + name, "x")
        bucket.look(b"a", 5000, 1_000_000, True)
        pairs.set(b"a", b"1")
        with pytest.raises(WrongKeysError):
            await rates.round(store)
        for _ in range(3):
            for member in (rates, part):
                await sync._turn(member, store)
        await others.round(store)
    assert other.get(b"a") == b"1"
    assert len(lines(sync)) == 2 and all("held something else, which is deleted" in line for line in lines(sync))
    assert sync.show()["cleaned"] == 2


@pytest.mark.parametrize("ahead_ms", [-3_600_000_000, 3_600_000_000])
async def test_a_node_whose_clock_is_off(redis: Redis, monkeypatch: pytest.MonkeyPatch, ahead_ms: int) -> None:
    (one, ones), (other, others) = pairs_of(sync_with(redis)), pairs_of(sync_with(redis))
    right = shared_map.wall_ms
    async with connected(redis) as store:
        monkeypatch.setattr(shared_map, "wall_ms", lambda: right() + ahead_ms)
        one.set(b"a", b"1")
        await ones.round(store)
        monkeypatch.setattr(shared_map, "wall_ms", right)
        await others.round(store)
    ((_, value, ends),) = other.items()
    assert value == b"1" and abs(ends - right() - 600_000) < 5000, "as long as on the node that set it"


def test_what_was_let_in_long_ago_is_not_told(redis: Redis) -> None:
    """An hour without the store must not keep everybody out for another."""
    bucket, _ = rates_of(sync_with(redis))
    now = int(time.monotonic() * 1000)
    for second in range(3600):
        bucket.look(b"a", 5000, now - 3_600_000 + second * 1000, True)
    ((_, count),) = bucket.take_admitted()
    assert count <= 8


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "payload",
    [
        "x", "[]", "1", DEEP, '{"server": 5}',
        '{"server": "127.0.0.9:80", "weight": "x"}', '{"server": "127.0.0.9:80", "id": []}',
    ],
)
def test_servers_that_no_node_has_added(payload: str) -> None:
    made = upstream(b"up", server("1"))
    servers_mapped(made)
    sink = MemorySink()
    servers = Servers(made, Log(sink))
    servers.take_changed()
    servers.apply([(b"127.0.0.9:80", payload.encode(), 0), (b"\n\x1b", b"{", 0)])
    assert made.shared is not None and len(made.shared.members()) == 1
    assert len(sink.lines) == 2 and "\n" not in sink.lines[1].rstrip("\n") and "\x1b" not in sink.lines[1]
    assert servers.take_changed() == [], "nor do the others hear that it is gone"


def test_many_servers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All servers are looked at once for a batch, not for each entry."""
    made = upstream(b"up", *(server(str(number)) for number in range(1, 41)))
    servers_mapped(made)
    servers = Servers(made, Log(MemorySink()))
    servers.take_changed()
    looks = []
    now = servers._now
    monkeypatch.setattr(servers, "_now", lambda: looks.append(1) or now())
    changed = [(field, payload, 0) for field, payload, _ in servers.take_all()]
    looks.clear()
    servers.apply([(field, json.dumps({**json.loads(payload), "weight": 3}, sort_keys=True).encode(), 0)
                   for field, payload, _ in changed])  # fmt: skip
    assert looks == [1]
    assert made.shared is not None and {peer.weight for peer in made.shared.members()} == {3}
    assert servers.take_changed() == []
