from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.logs import Log
from gateway.core.temp_files import TempPath
from gateway.core.zones import Zone
from gateway.upstream.cache.file_cache import FileCache
from gateway.upstream.cache.file_head import SIZE
from gateway.upstream.cache.loader import walk
from tests.engine import MemorySink

NAME = "b7f54b2df7773722d382f4809d65029c"


def made(folder: Path, sink: MemorySink, size: int = 1 << 16) -> FileCache:
    cache = FileCache("one", TempPath(str(folder), (1, 2)), Log(sink))
    zone = Zone("one", size, "proxy_cache", shared=False)
    zone.user = cache
    zone.map()
    return cache


def put(path: Path, size: int = SIZE + 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def test_files_are_found(tmp_path: Path) -> None:
    sink = MemorySink()
    put(tmp_path / "c/29" / NAME)
    put(tmp_path / "c/29" / (NAME + ".0000000001"))  # is being written
    put(tmp_path / "temp/else")
    cache = made(tmp_path, sink)
    assert len(list(walk(cache))) == 1
    assert cache.index.table.get(bytes.fromhex(NAME)) >= 0 and cache.index.size > 0
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3
    assert not sink.lines


def test_what_is_none_of_ours_is_deleted(tmp_path: Path) -> None:
    sink = MemorySink()
    put(tmp_path / NAME, SIZE - 1)
    put(tmp_path / "README")
    put(tmp_path / ("x" * 32))
    (tmp_path / ("0" * 32)).symlink_to("/etc/passwd")
    cache = made(tmp_path, sink)
    assert len(list(walk(cache))) == 4
    assert not list(tmp_path.iterdir()) and not len(cache.index.table)
    assert [line for line in sink.lines if f'cache file "{tmp_path}/{NAME}" is too small' in line]


def test_a_zone_too_small(tmp_path: Path) -> None:
    sink = MemorySink()
    cache = made(tmp_path, sink, 4096)
    most = cache.index.table.count
    for number in range(most + 2):
        put(tmp_path / f"{number:032x}")
    list(walk(cache))
    assert len(list(tmp_path.iterdir())) == most
    assert 'could not allocate node in cache keys zone "one"' in sink.lines[0] and len(sink.lines) == 1


def test_no_directory(tmp_path: Path) -> None:
    sink = MemorySink()
    assert not list(walk(made(tmp_path / "no", sink)))
    assert f'opendir() "{tmp_path}/no" failed (2: ' in sink.lines[0]


@pytest.mark.parametrize("name", [NAME.upper(), NAME])
def test_names(name: str, tmp_path: Path) -> None:
    put(tmp_path / name)
    cache = made(tmp_path, MemorySink())
    list(walk(cache))
    assert len(cache.index.table) == 1
