"""temp files: names, levels, life."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from gateway.core.files import FileError
from gateway.core.temp_files import TempFile, TempPath


def test_hashed_names() -> None:
    assert TempPath("/t/", (1, 2)).hashed(b"0000000123") == b"/t/3/12/0000000123"
    assert TempPath("/t", (2, 1, 3)).hashed(b"0123456789") == b"/t/89/7/456/0123456789"
    assert TempPath("/t").hashed(b"0000000123") == b"/t/0000000123"


@pytest.mark.parametrize("levels", [(0,), (5, 6), (1, 1, 1, 1), (-1,)])
def test_levels_that_cannot_be(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="invalid value"):
        TempPath("/t", levels)


def test_a_file_is_unlinked_at_once(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    file = TempFile(TempPath(str(tmp_path)))
    assert os.listdir(tmp_path) == []
    file.write(b"hello ")
    file.write(memoryview(b"world"))
    assert file.size == 11 and file.read(5, 6) == b"world"
    assert stat.S_IMODE(os.fstat(file.fd).st_mode) == 0o600
    del file
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("count", [0, 1, 2, 64, 3000])
def test_parts_are_written_in_their_order(tmp_path: Path, count: int) -> None:
    parts = [b"%d," % number for number in range(count)]
    file = TempFile(TempPath(str(tmp_path)))
    file.write(b"first,")
    file.write_parts(parts)
    whole = b"first," + b"".join(parts)
    assert file.size == len(whole) and file.read(len(whole) + 1, 0) == whole


@pytest.mark.parametrize(("clean", "keep", "left"), [(True, False, False), (False, False, True), (True, True, True)])
def test_persistent_files(tmp_path: Path, clean: bool, keep: bool, left: bool) -> None:
    file = TempFile(TempPath(str(tmp_path), (1, 2)), persistent=True, clean=clean, access=0o640)
    file.write(b"x")
    path = Path(os.fsdecode(file.path))
    assert path.parent.parent.parent == tmp_path and path.read_bytes() == b"x"
    if keep:
        file.keep()
    file.close()
    file.close()
    assert path.exists() is left


def test_a_taken_name_is_left_alone(tmp_path: Path) -> None:
    where = TempPath(str(tmp_path))
    first = TempFile(where, persistent=True)
    number = int(os.path.basename(first.path))
    for taken in range(number + 1, number + 5):
        (tmp_path / f"{taken:010}").write_bytes(b"theirs")
    second = TempFile(where, persistent=True)
    second.write(b"ours")
    assert (tmp_path / f"{number + 1:010}").read_bytes() == b"theirs"
    assert Path(os.fsdecode(second.path)).read_bytes() == b"ours"


def test_no_directory(tmp_path: Path) -> None:
    for levels in ((), (1, 2)):
        with pytest.raises(FileError) as caught:
            TempFile(TempPath(str(tmp_path / "none"), levels))
        assert caught.value.errno == errno.ENOENT


def test_prepare(tmp_path: Path) -> None:
    where = TempPath(str(tmp_path / "t"))
    where.prepare()
    where.prepare(os.getuid())
    assert stat.S_IMODE(os.stat(tmp_path / "t").st_mode) == 0o700
    with pytest.raises(FileError, match=r'mkdir\(\) ".*/a/b" failed \(2: No such file or directory\)'):
        TempPath(str(tmp_path / "a" / "b")).prepare()


def test_a_full_disk_is_an_error_that_says_so() -> None:
    file = TempFile(TempPath("/tmp"))
    os.close(file.fd)
    file.fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(FileError, match=r"pwrite\(\) .* failed \(28: No space left on device\)"):
        file.write(b"x")
    with pytest.raises(FileError, match=r"pwritev\(\) .* failed \(28: No space left on device\)"):
        file.write_parts([b"x", b"y"])
