"""The last records, in a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.core.ring import Ring


def test_the_oldest_makes_way(tmp_path: Path) -> None:
    ring = Ring.make(str(tmp_path / "r"), 3, 16)
    for number in range(1, 6):
        assert ring.writer().put(b"record %d" % number) == number
    assert list(ring.newest()) == [(5, b"record 5"), (4, b"record 4"), (3, b"record 3")]
    assert list(ring.newest(after=4)) == [(5, b"record 5")]
    assert ring.get(2) is None
    ring.writer().put(b"x" * 100)
    assert ring.get(6) == b"x" * 16


def test_another_program_reads_it(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    ring = Ring.make(path, 4, 32)
    ring.writer().put(b"one")
    assert os.stat(path).st_mode & 0o777 == 0o600
    other = Ring.read_from(path)
    assert list(other.newest()) == [(1, b"one")]


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    Ring.make(path, 4, 32).writer().put(b"one")
    again = Ring.make(path, 4, 32)
    assert again.writer().put(b"two") == 2
    assert [data for _, data in again.newest()] == [b"two", b"one"]


def test_its_room_is_taken_when_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without a block of a full disk would end the worker that writes to it."""
    path = str(tmp_path / "r")
    Ring.make(path, 4, 4096)
    assert os.stat(path).st_blocks * 512 >= os.stat(path).st_size > 4 * 4096

    def no_room(file: int, offset: int, size: int) -> None:
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No space left"):
        Ring.make(str(tmp_path / "other"), 4, 4096)
    assert os.stat(tmp_path / "other").st_size == 0
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("slots", [3, 5])
def test_another_size_is_another_file(tmp_path: Path, slots: int) -> None:
    """Old workers go on writing into theirs."""
    path = str(tmp_path / "r")
    old = Ring.make(path, 4, 32)
    old.writer().put(b"one")
    new = Ring.make(path, slots, 32)
    assert new.last == 0
    old.writer().put(b"two")
    assert list(new.newest()) == []
    assert os.listdir(tmp_path) == ["r"]


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 4096])
def test_what_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"another form|is empty"):
        Ring.read_from(str(path))
    assert Ring.make(str(path), 2, 16).writer().put(b"x") == 1


def test_several_processes_write(tmp_path: Path) -> None:
    ring = Ring.make(str(tmp_path / "r"), 1000, 32)
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            for count in range(200):
                ring.writer().put(b"%d %d" % (number, count))
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    found = [data for _, data in ring.newest()]
    assert len(found) == len(set(found)) == 800


def test_one_that_is_being_written_is_passed_by(tmp_path: Path) -> None:
    ring = Ring.make(str(tmp_path / "r"), 4, 32)
    ring.writer().put(b"one")
    ring.writer().put(b"two")
    words = ring._memory
    begin = 64 + 48  # the second slot
    words[begin : begin + 8] = bytes(8)
    assert [data for _, data in ring.newest()] == [b"one"]


def test_what_is_longer_than_the_usual_lies_in_two_places(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    ring = Ring.make(path, 3, 1500)
    writer = ring.writer()
    records = [bytes([65 + i]) * length for i, length in enumerate((495, 496, 497, 10, 1504, 2000, 0))]
    for number, record in enumerate(records, 1):
        writer.put(record)
        assert ring.get(number) == Ring.read_from(path).get(number) == record[:1504]
    assert [data for _, data in ring.newest()] == [record[:1504] for record in records[:-4:-1]]
    assert os.stat(path).st_size == 64 + 3 * (1504 + 16)
