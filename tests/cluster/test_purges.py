from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.cluster.purges import Purges
from gateway.cluster.store import StoreError
from gateway.core.logs import Log
from gateway.core.shared_map import SharedMap
from gateway.core.temp_files import TempPath
from gateway.upstream.cache.file_cache import FileCache
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.engine import MemorySink

pytestmark = needs_redis


class Node:
    def __init__(self, redis: Redis, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.cache = FileCache("z", TempPath(str(folder)), Log(MemorySink()))
        mapped("z", self.cache, 1 << 20)
        self.cache.purges = SharedMap("z", synced=True)
        mapped("p", self.cache.purges, 1 << 18)
        self.purges = Purges(self.cache, sync_with(redis))

    def told(self) -> list[bytes]:
        """What this node has to purge, since the last time."""
        todo, self.purges._todo = self.purges._todo, []
        assert all(abs(time.time() - until) < 30 for _, until in todo)
        return [key for key, _ in todo]

    def purge(self, key: bytes) -> None:
        assert self.cache.purges is not None
        self.cache.purges.set(key, b"")


async def test_all_others_hear_of_it_once(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    async with connected(redis) as store:
        for key in (b"a", b"b*", b"a"):
            one.purge(key)
        for node in (one, other, one, other):
            await node.purges.round(store)
        assert (one.told(), sorted(other.told())) == ([], [b"a", b"b*"])
        one.purge(b"a")
        other.purge(b"c" * 60_000)
        for node in (one, other, one):
            await node.purges.round(store)
        assert (one.told(), other.told()) == ([b"c" * 60_000], [b"a"])
        assert one.cache.purges is not None and len(one.cache.purges.items()) == 0, "nothing is kept here"
        late = Node(redis, tmp_path / "3")
        await late.purges.round(store)
        assert len(late.told()) == 4


async def test_many(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    async with connected(redis) as store:
        for number in range(450):
            one.purge(b"%d" % number)
        await one.purges.round(store)
        await other.purges.round(store)
    assert len(other.told()) == 450


async def test_the_store_was_emptied_or_gone(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    with pytest.raises(StoreError):
        async with connected(redis) as store:
            for node in (one, other):
                node.purge(b"a")
                await node.purges.round(store)
            other.told()
            redis.kill()
            one.purge(b"b")
            await one.purges.round(store)
    redis.start()
    async with connected(redis) as store:
        for node in (one, other):
            await node.purges.round(store)
    assert other.told() == [b"b"]


async def test_the_stores_clock_goes_back(redis: Redis, tmp_path: Path) -> None:
    one, other = Node(redis, tmp_path / "1"), Node(redis, tmp_path / "2")
    other.purges._seen = (int(time.time() * 1000) + 3_600_000, 0)
    async with connected(redis) as store:
        one.purge(b"a")
        for node in (one, other):
            await node.purges.round(store)
    assert other.told() == [b"a"]


async def test_what_no_node_has_written(redis: Redis, tmp_path: Path) -> None:
    node = Node(redis, tmp_path / "1")
    key = "gateway:{purges:z}"
    wrong = (("x", "y"), ("node", "1"), ("node", "1", "key", "x" * 70_001), ("a", "b", "c", "d"))
    for words in (*wrong, ("node", "1", "key", "k")):
        redis.ask("XADD", key, "*", *words)
    async with connected(redis) as store:
        await node.purges.round(store)
    assert node.told() == [b"k"]
