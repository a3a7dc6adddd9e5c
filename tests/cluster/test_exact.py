from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from gateway.cluster.exact import Exact, Question
from tests.cluster.nodes import sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.cluster.test_sync import Probe, lines, until

pytestmark = needs_redis


class Zone:
    name = "z"
    rate = 1000

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def let_in(self, name: bytes) -> None:
        self.told.append(name)


def nothing() -> None:
    pass


def ask(exact: Exact, zone: Zone, name: bytes, burst: int) -> Question:
    question = Question(zone, name, burst * 1000, nothing)
    exact.put(question)
    return question


@contextmanager
def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr("gateway.cluster.exact._PATIENCE_S", seconds)
        yield


async def test_what_the_store_says(redis: Redis) -> None:
    exact, zone = Exact(sync_with(redis, timeout=20.0)), Zone()
    exact.bound = 20.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exact.run, None)  # type: ignore[arg-type]
        await until(lambda: exact.answers)
        asked = [ask(exact, zone, b"a", 2) for _ in range(5)] + [ask(exact, zone, b"b", 0)]
        await until(lambda: not any(each.waiting for each in asked))
        assert [each.allowed for each in asked] == [True, True, True, False, False, True]
        assert [each.excess // 100 for each in asked[:3]] in ([0, 10, 20], [0, 9, 19])
        assert not zone.told
        abandoned = ask(exact, zone, b"c", 0)
        exact.give_up(abandoned)
        await until(lambda: not abandoned.waiting)
        assert zone.told == [b"c"], "it was not sent; the next round tells it"
        redis.ask("SET", "gateway:{limit_req:z}:d", "x")
        odd = ask(exact, zone, b"d", 0)
        await until(lambda: not odd.waiting)
        assert odd.allowed is None and exact.answers, "the zone's round throws it away"
        nursery.cancel_scope.cancel()
    assert not exact.answers and ask(exact, zone, b"e", 0).allowed is None


async def test_many_questions_are_few_calls(redis: Redis) -> None:
    exact, zone = Exact(sync_with(redis, timeout=20.0)), Zone()
    exact.bound = 20.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exact.run, None)  # type: ignore[arg-type]
        await until(lambda: exact.answers)
        asked = [ask(exact, zone, b"%d" % number, 0) for number in range(2000)]
        await until(lambda: not any(each.waiting for each in asked))
        assert all(each.allowed for each in asked)
        calls = redis.ask("INFO", "commandstats").decode()
        (line,) = (each for each in calls.splitlines() if each.startswith("cmdstat_evalsha:"))
        assert int(line.partition("calls=")[2].partition(",")[0]) <= 6, line
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("gone", ["killed", "paused"])
async def test_what_is_gone_is_the_rounds_to_tell(redis: Redis, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    sync = sync_with(redis, interval=0.01, timeout=1.0)
    sync.members.append(Probe())
    exact, zone = Exact(sync), Zone()
    exact.bound = 0.5
    with patience(monkeypatch, 0.1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
            nursery.start_soon(exact.run, None)  # type: ignore[arg-type]
            await until(lambda: exact.answers and sync.online)
            if gone == "killed":
                redis.kill()
            else:
                redis.pause()
            asked = ask(exact, zone, b"a", 0)
            await until(lambda: not asked.waiting and not sync.online)
            assert asked.allowed is None and zone.told == [b"a"]
            await trio.sleep(2.0)
            assert len(lines(sync)) == 1, lines(sync)
            if gone == "killed":
                redis.start()
            else:
                redis.go_on()
            await until(lambda: exact.answers and sync.online)
            nursery.cancel_scope.cancel()
    assert len(lines(sync)) == 2 and "is back after" in lines(sync)[1]


async def test_what_is_slow_is_said_once(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds have the time for it, requests have not."""
    sync = sync_with(redis, interval=0.01, timeout=20.0)
    sync.members.append(Probe())
    exact, sister, zone = Exact(sync), Exact(sync), Zone()
    for each in (exact, sister):
        each.bound = 1e-9
    monkeypatch.setattr("gateway.cluster.exact._FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("gateway.cluster.exact._LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr("gateway.cluster.exact._PATIENCE_S", 0.3 - sync.settings.timeout)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run, None)  # type: ignore[arg-type]
        await until(lambda: sync.online)
        nursery.start_soon(exact.run, None)  # type: ignore[arg-type]
        nursery.start_soon(sister.run, None)  # type: ignore[arg-type]
        await until(lambda: len(lines(sync)) == 1)
        assert "no answer in time; until it answers within 0 ms" in lines(sync)[0]
        await trio.sleep(0.3)
        assert ask(exact, zone, b"a", 0).allowed is None
        assert sync.online and len(lines(sync)) == 1, "once for all workers"
        exact.bound = sister.bound = 20.0
        await until(lambda: exact.answers and sister.answers)
        assert len(lines(sync)) == 2 and "it answers in time again" in lines(sync)[1]
        shown = sync.show()
        assert (shown["exact_asked"], shown["exact_local"]) == (0, 1)
        nursery.cancel_scope.cancel()


async def answered(exact: Exact, zone: Zone) -> bool | None:
    question = ask(exact, zone, b"a", 10)
    await until(lambda: not question.waiting)
    return question.allowed


@pytest.mark.parametrize("ahead_ms", [3_600_000, -3_600_000])
async def test_a_bucket_of_another_clock(redis: Redis, ahead_ms: int) -> None:
    """What a store has kept from before, or from one whose clock was an hour ahead, drains nevertheless."""
    exact, zone = Exact(sync_with(redis, timeout=20.0)), Zone()
    zone.rate = 100_000
    exact.bound = 20.0
    now_ms = int(redis.ask("TIME").split(b"\r\n")[2]) * 1000
    redis.ask("HSET", "gateway:{limit_req:z}:a", "excess", "20000000", "at", str(now_ms + ahead_ms))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exact.run, None)  # type: ignore[arg-type]
        await until(lambda: exact.answers)
        assert await answered(exact, zone) is (ahead_ms < 0)
        redis.ask("HSET", "gateway:{limit_req:z}:a", "excess", "20000")
        await trio.sleep(0.3)  # 30 of 20 have drained
        assert await answered(exact, zone) is True
        nursery.cancel_scope.cancel()
