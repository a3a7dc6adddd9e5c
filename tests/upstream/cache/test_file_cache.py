from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.logs import Log
from gateway.core.temp_files import TempPath
from gateway.core.zones import Zone
from gateway.upstream.cache.file_cache import FileCache
from gateway.upstream.cache.index import FULL
from tests.engine import MemorySink


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def cache(tmp_path: Path, sink: MemorySink) -> FileCache:
    made = FileCache("one", TempPath(str(tmp_path)), Log(sink))
    zone = Zone("one", 4096, "proxy_cache", shared=False)
    zone.user = made
    zone.map()
    return made


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def fill(cache: FileCache, *, hold: bool) -> int:
    """As many records as the zone takes."""
    count = cache.index.table.count
    for number in range(count):
        _, record = cache.take(key(number), 1, -1)
        Path(cache.file_of(key(number)).decode()).write_bytes(b"x")
        if hold:
            continue
        cache.index.stored(record, 1, 1, 1)
    return count


def test_a_full_zone_makes_room(cache: FileCache, tmp_path: Path) -> None:
    count = fill(cache, hold=False)
    assert cache.take(key(count), 1, -1)[1] >= 0
    assert not Path(cache.file_of(key(0)).decode()).exists()
    assert len(list(tmp_path.iterdir())) == count - 1


def test_a_full_zone_in_use(cache: FileCache, sink: MemorySink) -> None:
    count = fill(cache, hold=True)
    assert cache.take(key(count), 1, -1) == (FULL, -1)
    assert "ignore long locked inactive cache entry 0000" in sink.lines[0] and sink.lines[0].endswith("count:1")
    assert sink.lines[-1].endswith('could not allocate node in cache keys zone "one"')
    assert len(sink.lines) == 21


def test_what_cannot_be_deleted_is_said(cache: FileCache, sink: MemorySink) -> None:
    fill(cache, hold=False)
    path = Path(cache.file_of(key(0)).decode())
    path.unlink()
    assert cache.remove_oldest() == 0
    assert f'unlink() "{path}" failed (2: No such file or directory)' in sink.lines[0]


def test_nothing_to_remove(cache: FileCache) -> None:
    assert cache.remove_oldest() == 10


def test_waking(cache: FileCache) -> None:
    woken: list[int] = []
    cache.waiting[3] = [lambda: woken.append(1), lambda: woken.append(2)]
    cache.wake(3)
    cache.wake(3)
    assert woken == [1, 2] and not cache.waiting
