from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway.cluster.store import Store, StoreError
from gateway.cluster.sync import Member, Sync
from tests.cluster.nodes import mapped, sync_with
from tests.cluster.redis import Redis, needs_redis

pytestmark = needs_redis


class Probe(Member):
    def __init__(self) -> None:
        super().__init__("probe")
        self.rounds = 0
        self.failures = 0
        self.gone = 0

    async def round(self, store: Store) -> int:
        try:
            await store.run("return 1", ["k"], [])
        except StoreError:
            self.failures += 1
            raise
        self.rounds += 1
        return 2

    def offline(self) -> None:
        self.gone += 1


def lines(sync: Sync) -> list[str]:
    return [line.partition("] ")[2].partition(": ")[2] for line in sync.log.sinks[0].lines]  # type: ignore[attr-defined]


async def until(true: object) -> None:
    with trio.fail_after(60):
        while not true():  # type: ignore[operator]
            await trio.sleep(0.01)


async def test_the_store_goes_and_comes_back(redis: Redis) -> None:
    sync = sync_with(redis, interval=0.01, timeout=2.0)  # beside load a healthy store answers late too
    probe = Probe()
    sync.members.append(probe)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: probe.rounds > 3)
        assert sync.show()["online"] and not lines(sync)
        redis.kill()
        await until(lambda: not sync.show()["online"])
        await trio.sleep(0.5)
        assert len(lines(sync)) == 1 and "until it answers, each node goes by what it knows itself" in lines(sync)[0]
        assert probe.gone == 1
        redis.start()
        await until(lambda: sync.show()["online"])
        assert len(lines(sync)) == 2 and "is back after" in lines(sync)[1]
        before = probe.rounds
        await until(lambda: probe.rounds > before + 3)

        redis.pause()
        await until(lambda: not sync.show()["online"])
        assert "no answer in time" in lines(sync)[2] or "time" in lines(sync)[2]
        redis.go_on()
        await until(lambda: sync.show()["online"])
        shown = sync.show()
        assert shown["records_sent"] == 2 * probe.rounds and shown["failures"] >= 2  # type: ignore[operator]
        nursery.cancel_scope.cancel()


class Writer(Probe):
    async def round(self, store: Store) -> int:
        await store.run("return redis.call('SET', KEYS[1], ARGV[1])", ["k"], [self.rounds])
        self.rounds += 1
        return 1


@pytest.mark.parametrize(
    ("fault", "mended", "reason"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read only replica"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "Not enough good replicas"),
    ],
)
async def test_a_store_that_lives_and_refuses(redis: Redis, fault: str, mended: str, reason: str) -> None:
    sync = sync_with(redis, interval=0.01, timeout=20.0)
    writer = Writer()
    sync.members.append(writer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: writer.rounds > 1)
        assert redis.ask(*fault.split()).startswith(b"+OK")
        await until(lambda: sync.show()["failures"] > 1)  # type: ignore[operator]
        assert len(lines(sync)) == 1 and writer.gone == 1, "it is said once, however often it is tried"
        assert reason in lines(sync)[0] and "each node goes by what it knows itself" in lines(sync)[0]
        assert redis.ask(*mended.split()).startswith(b"+OK")
        await until(lambda: sync.show()["online"])
        assert len(lines(sync)) == 2 and "is back after" in lines(sync)[1]
        nursery.cancel_scope.cancel()


async def test_one_worker_does_it(redis: Redis, monkeypatch: object) -> None:
    one = sync_with(redis)
    other = Sync(one.settings, 0.1, one.log)
    other.attach(mapped("unused", one), one.words)
    assert one.on_duty() and other.on_duty(), "the same process"
    one.words.store(0, 1)  # another process that lives, but is nobody's sibling here: it has gone
    assert one.on_duty()
    one.off_duty()
    assert one.words.load(0) == 0
    assert one.node == other.node > 0


class Fickle(Probe):
    """Every other round fails."""

    async def round(self, store: Store) -> int:
        self.rounds += 1
        if self.rounds % 2:
            raise StoreError("it does not feel like it")
        return 1


async def test_a_store_that_comes_and_goes_fills_no_log(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cluster.sync._FIRST_PAUSE_S", 0.001)
    sync = sync_with(redis, interval=0.001, timeout=20.0)
    fickle = Fickle()
    sync.members.append(fickle)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: fickle.rounds > 40)
        nursery.cancel_scope.cancel()
    told = lines(sync)
    assert len(told) == 10, "gone and back, five times"
    assert [line.endswith("no more is said of that for a minute)") for line in told[::2]] == [False] * 4 + [True]
    sync.words.store(17, 1)  # a minute is over
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: len(lines(sync)) > 10)
        nursery.cancel_scope.cancel()
