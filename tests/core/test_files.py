"""files: opening as the static module does."""

from __future__ import annotations

import errno
import gc
import os
import stat
from pathlib import Path

import pytest

from gateway._fast.files import FileIdentity, adopt
from gateway.core.files import FileError, FileOptions, PlainFiles, open_file, stat_file

FILES = PlainFiles()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_file_knows_what_it_is_and_closes_with_its_last_user(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    before = open_descriptors()
    file = open_file(os.fsencode(path))
    info = path.stat()
    assert (file.size, file.mtime, file.uniq, file.mode) == (5, int(info.st_mtime), info.st_ino, info.st_mode)
    assert file.is_file and not file.is_dir and not file.is_exec and file.allocated >= 0
    assert os.pread(file.fd, 9, 0) == b"hello"
    assert not os.get_inheritable(file.fd)
    also = file
    del file
    assert open_descriptors() == before + 1
    del also
    assert open_descriptors() == before


def test_a_directory_has_no_descriptor(tmp_path: Path) -> None:
    before = open_descriptors()
    file = open_file(os.fsencode(tmp_path))
    assert file.is_dir and file.fd == -1 and open_descriptors() == before
    assert stat_file(os.fsencode(tmp_path)).is_dir


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    file = FILES.open(os.fsencode(tmp_path / "fifo"))
    assert not file.is_file and not file.is_dir


def test_test_needs_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    info = FILES.test(os.fsencode(path))
    assert info.fd == -1 and info.size == 5 and info.same(open_file(os.fsencode(path)))


def test_errors_of_opening(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.symlink("loop", tmp_path / "loop")
    for name, code, status in (
        ("none", errno.ENOENT, 404),
        ("file/x", errno.ENOTDIR, 404),
        ("x" * 300, errno.ENAMETOOLONG, 404),
        ("loop", errno.ELOOP, 403),
        ("fi\0le", errno.ENOENT, 404),
    ):
        with pytest.raises(FileError) as caught:
            open_file(os.fsencode(tmp_path / name))
        assert (caught.value.errno, caught.value.status) == (code, status)
        with pytest.raises(FileError) as caught:
            stat_file(os.fsencode(tmp_path / name))
        assert (caught.value.errno, caught.value.failed) == (code, "stat()")


@pytest.mark.parametrize(
    ("code", "status", "level"),
    [
        (errno.ENOENT, 404, "error"),
        (errno.EACCES, 403, "error"),
        (errno.EMLINK, 403, "error"),
        (errno.EMFILE, 500, "crit"),
        (errno.EIO, 500, "crit"),
    ],
)
def test_status_and_level(code: int, status: int, level: str) -> None:
    error = FileError(code, "open()", b"/x\xff")
    assert (error.status, error.level) == (status, level)


def test_the_message_is_nginx_s() -> None:
    assert str(FileError(errno.ENOENT, "open()", b"/x")) == 'open() "/x" failed (2: No such file or directory)'


def test_log_files_are_made_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    options = FileOptions(log=True)
    for line in (b"a\n", b"b\n"):
        file = open_file(os.fsencode(path), options)
        os.write(file.fd, line)
    assert path.read_bytes() == b"a\nb\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_adopt_closes_what_it_cannot_stat() -> None:
    assert adopt(-1) == errno.EBADF
    gc.collect()


def test_whether_a_file_is_still_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    with path.open("r+b") as file:
        identity = FileIdentity(file.fileno())
        assert identity.still(bytes(path)) and not identity.still(bytes(path) + b"x")
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
        assert not identity.still(bytes(path))
        identity = FileIdentity(file.fileno())
    (tmp_path / "other").write_bytes(b"1234")
    os.utime(tmp_path / "other", ns=(1, path.stat().st_mtime_ns))
    assert not identity.still(bytes(tmp_path / "other"))
    with pytest.raises(OSError, match="fstat"):
        FileIdentity(-1)
