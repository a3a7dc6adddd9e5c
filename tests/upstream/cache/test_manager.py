from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from gateway.upstream.cache import manager
from gateway.upstream.cache.file_cache import FileCache
from gateway.upstream.cache.loader import walk
from gateway.upstream.cache.manager import Budget, clean, load
from tests.engine import MemorySink
from tests.http_peers import answering
from tests.upstream.cache.caching import Time, cache_of, cached, files, page, state
from tests.upstream.cache.test_loader import made, put


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def filled(folder: Path, count: int, sink: MemorySink | None = None, **settings: Any) -> FileCache:
    """A cache with so many files, the first of which was used least recently."""
    cache = made(folder, sink or MemorySink())
    for name, value in settings.items():
        setattr(cache, name, value)
    for number in range(count):
        key = number.to_bytes(16, "big")
        _, record = cache.take(key, 1, -1)
        put(Path(os.fsdecode(cache.file_of(key))))
        cache.index.stored(record, 1, 300, 1)
    return cache


def count(cache: FileCache) -> int:
    return len([path for path in Path(os.fsdecode(cache.path.name)).rglob("*") if path.is_file()])


def test_what_nobody_asked_for_goes(tmp_path: Path, time: Time) -> None:
    cache = filled(tmp_path, 3, inactive=60)
    assert clean(cache) == 10
    time.passes(55)
    assert clean(cache) == 5 and count(cache) == 3
    cache.index.give_back(cache.take((0).to_bytes(16, "big"), 1, -1)[1], -1, 0, 0, forget=True)
    time.passes(5)
    assert clean(cache) == 10 and count(cache) == 1
    time.passes(60)
    clean(cache)
    assert count(cache) == 0 and len(cache.index.table) == 0
    assert clean(cache) == 10


def test_what_is_too_much_goes(tmp_path: Path) -> None:
    cache = filled(tmp_path, 10)
    cache.max_size = 4 * cache.block
    clean(cache)
    assert count(cache) == 3  # less than max_size, as in nginx
    assert cache.index.table.get((9).to_bytes(16, "big")) >= 0


def test_in_turns(tmp_path: Path) -> None:
    cache = filled(tmp_path, 5, max_size=0, manager_files=2, manager_sleep=7.0)
    assert clean(cache) == 7 and count(cache) == 3
    cache.manager_threshold = 0.0
    assert clean(cache) == 7 and count(cache) == 2


def test_a_zone_that_was_full_gets_room(tmp_path: Path) -> None:
    cache = made(tmp_path, MemorySink(), 4096)
    most = cache.index.table.count
    for number in range(most):
        key = number.to_bytes(16, "big")
        put(Path(os.fsdecode(cache.file_of(key))))
        cache.index.stored(cache.take(key, 1, -1)[1], 1, 300, 1)
    clean(cache)
    assert len(cache.index.table) == most
    cache.take(most.to_bytes(16, "big"), 1, -1)
    clean(cache)
    assert len(cache.index.table) < most - most // 8 + 1


def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = filled(tmp_path, 3, min_free=1000)
    free = iter([400, 800, 1200])
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=next(free), f_frsize=1))
    clean(cache)
    assert count(cache) == 1


def test_what_is_in_use_stays(tmp_path: Path, time: Time) -> None:
    sink = MemorySink()
    cache = filled(tmp_path, 1, sink, inactive=60)
    _, record = cache.take(bytes(16), 1, -1)
    time.passes(61)
    assert clean(cache) == 1 and count(cache) == 1
    assert "ignore long locked inactive cache entry " + "0" * 32 + ", count:1" in sink.lines[0]
    cache.index.give_back(record, -1, 0, 0, forget=True)
    time.passes(61)
    clean(cache)
    assert count(cache) == 0


def test_loading_in_turns(tmp_path: Path) -> None:
    sink = MemorySink()
    for number in range(5):
        put(tmp_path / f"{number:032x}")
    cache = made(tmp_path, sink)
    cache.loader_files = 2
    found = walk(cache)
    assert [load(cache, found) for _ in range(3)] == [False, False, True]
    assert not cache.index.cold and len(cache.index.table) == 5
    assert f"[notice] {os.getpid()}#{os.getpid()}: http file cache: {tmp_path} 0.0" in sink.lines[-1]


def test_a_budget() -> None:
    budget = Budget(2, 60)
    assert [budget.spent(), budget.spent()] == [False, True]
    assert Budget(2, 0).spent()


async def test_a_worker_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "LOAD_AFTER_S", 0.0)
    monkeypatch.setattr(manager, "_LOOK_S", 0.01)
    put(tmp_path / "cache/f/ff/ffffffffffffffffffffffffffffffff")
    path = "max_size=64k manager_sleep=1ms"
    async with cached(answering(page(body=bytes(100_000))), tmp_path, path=path) as engine:
        assert state(await engine.get("/")) == "MISS"
        with trio.fail_after(20):
            while any(file.stat().st_size > 64_000 for file in files(tmp_path)) or cache_of(engine).index.cold:
                await trio.sleep(0.01)
