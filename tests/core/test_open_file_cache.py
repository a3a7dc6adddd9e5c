"""open_file_cache: validity, least uses, errors, the least recently used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.core.files import FileError, FileOptions
from gateway.core.open_file_cache import OpenFileCache
from gateway.core.symlinks import Symlinks


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def put(path: Path, data: bytes) -> bytes:
    """Replace the file by another one."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.rename(path)
    return os.fsencode(path)


def test_a_file_is_opened_once_while_it_is_valid(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    path = put(tmp_path / "a", b"one")
    options = FileOptions(valid=5)
    file = cache.open(path, options)
    assert cache.open(path, options) is file
    put(tmp_path / "a", b"another")
    clock.now += 4.9
    assert cache.open(path, options) is file
    clock.now += 0.2
    newer = cache.open(path, options)
    assert newer is not file and newer.size == 7
    # who still sends the old file has it as it was
    assert os.pread(file.fd, 10, 0) == b"one" and file.size == 3


def test_an_unchanged_file_stays_open_when_it_is_tested_again(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    path = put(tmp_path / "a", b"one")
    file = cache.open(path)
    clock.now += 100
    assert cache.open(path) is file
    with open(path, "ab") as more:
        more.write(b"!")
    assert cache.open(path) is file
    clock.now += 100
    assert cache.open(path).size == 4


def test_min_uses(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    path = put(tmp_path / "a", b"one")
    options = FileOptions(min_uses=3)
    before = len(os.listdir("/proc/self/fd"))
    cache.open(path, options)
    cache.open(path, options)
    assert len(os.listdir("/proc/self/fd")) == before
    third = cache.open(path, options)
    assert cache.open(path, options) is third
    del third
    assert len(os.listdir("/proc/self/fd")) == before + 1
    cache.clear()
    assert len(os.listdir("/proc/self/fd")) == before


def test_directories_are_remembered(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    path = os.fsencode(tmp_path / "d")
    os.mkdir(path)
    options = FileOptions(valid=5, min_uses=9)
    assert cache.test(path, options).is_dir
    os.rmdir(path)
    assert cache.open(path, options).is_dir
    put(tmp_path / "d", b"file now")
    clock.now += 5
    assert cache.open(path, options).is_file


def test_errors_are_remembered_only_on_request(tmp_path: Path, clock: Clock) -> None:
    for errors in (False, True):
        cache = OpenFileCache(10, 60, clock)
        options = FileOptions(valid=5, errors=errors)
        path = os.fsencode(tmp_path / f"none{errors}")
        with pytest.raises(FileError):
            cache.open(path, options)
        assert len(cache) == errors
        put(tmp_path / f"none{errors}", b"there")
        if errors:
            with pytest.raises(FileError, match=r"open\(\) .* failed \(2: No such file or directory\)"):
                cache.open(path, options)
            clock.now += 5
        assert cache.open(path, options).size == 5


def test_a_removed_file_is_forgotten_or_remembered_as_removed(tmp_path: Path, clock: Clock) -> None:
    for errors in (False, True):
        cache = OpenFileCache(10, 60, clock)
        options = FileOptions(valid=5, errors=errors)
        path = put(tmp_path / "a", b"one")
        cache.open(path, options)
        os.unlink(path)
        clock.now += 6
        with pytest.raises(FileError):
            cache.open(path, options)
        assert len(cache) == errors


def test_the_least_recently_used_goes_first(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(2, 60, clock)
    a, b, c = (put(tmp_path / name, b"x") for name in "abc")
    first = cache.open(a)
    second = cache.open(b)
    assert cache.open(a) is first
    cache.open(c)
    assert len(cache) == 2 and cache.open(a) is first
    assert cache.open(b) is not second


def test_the_inactive_are_dropped_when_others_are_used(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    a, b = (put(tmp_path / name, b"x") for name in "ab")
    cache.open(a)
    clock.now += 61
    cache.open(b)
    assert len(cache) == 1


def test_disable_symlinks_is_part_of_the_answer(tmp_path: Path, clock: Clock) -> None:
    cache = OpenFileCache(10, 60, clock)
    path = put(tmp_path / "a", b"x")
    os.symlink("a", tmp_path / "link")
    link = os.fsencode(tmp_path / "link")
    assert cache.open(link).size == 1
    with pytest.raises(FileError):
        cache.open(link, FileOptions(symlinks=Symlinks.ON))
    assert cache.open(path, FileOptions(symlinks=Symlinks.ON)).size == 1
