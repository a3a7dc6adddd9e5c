"""The last records, in a file."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from gateway._fast.ring_writer import front_of
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


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ValueError, match="is no regular file"):
            Ring.read_from(str(tmp_path / name))


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


def _beginning(ring: Ring, kept: int, front: bytes) -> None:
    writer = ring.writer()
    writer.begin(0, 0, 0, -1, 200, 0, 11, True, None, front, b"http", b"c", None, kept)
    writer.end()


def test_what_many_begin_with_is_kept_once(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    ring = Ring.make(path, 4, 256, 100)
    first, second = front_of(b"/a (nginx.conf:1)", b"site"), front_of(b"/b (nginx.conf:2)", b"site")
    at = ring.keep(first)
    assert at and ring.keep(first) == at != ring.keep(second)
    _beginning(ring, at, first)
    _beginning(ring, ring.keep(second), second)
    _beginning(ring, 0, second)
    again = Ring.make(path, 4, 256, 100)  # after a reload, or a restart
    assert again.keep(second) == ring.keep(second)
    found = [data for _, data in Ring.read_from(path).newest()]
    assert [data[: len(first)] for data in found] == [second, second, first]
    assert found[0][-10:] == found[1][-10:] and len({*map(len, found)}) == 1


def test_texts_that_have_no_room(tmp_path: Path) -> None:
    ring = Ring.make(str(tmp_path / "r"), 4, 256, 64)
    kept = [ring.keep(b"%d" % number * 20) for number in range(4)]
    assert kept[0] and kept[1] and not any(kept[2:])
    assert Ring.make(str(tmp_path / "none"), 4, 256).keep(b"x") == 0
    assert Ring.shared(4, 256).keep(b"x") == 0


def test_several_processes_keep_texts(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    Ring.make(path, 4, 256, 65536)
    children = []
    for first in range(4):
        pid = os.fork()
        if pid == 0:
            ring = Ring.make(path, 4, 256, 65536)
            good = all(ring._text_at(ring.keep(b"text %d;" % n)) == b"text %d;" % n for n in range(first, first + 200))
            os._exit(0 if good else 1)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4
    ring = Ring.make(path, 4, 256, 65536)
    assert len({ring.keep(b"text %d;" % n) for n in range(203)}) == 203
    assert ring._memory[: 64 + 65536].count(b"text 77;") == 1


def test_a_file_of_another_form_is_replaced(tmp_path: Path) -> None:
    """Of before there were texts, with as many bytes."""
    path = tmp_path / "r"
    whole = 64 + 64 + 4 * (256 + 16)
    path.write_bytes(struct.pack("=4q", 0x474E_4952_5457_4734, 4, 256, 9).ljust(whole, b"x"))
    ring = Ring.make(str(path), 4, 256, 64)
    assert ring.last == 0 and ring.keep(b"text") and path.stat().st_size == whole
