"""disable_symlinks: which links open, which are refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.core.files import FileError, FileOptions, PlainFiles
from gateway.core.symlinks import Symlinks, trusted_part

FILES = PlainFiles()
ON = FileOptions(symlinks=Symlinks.ON)
OWNER = FileOptions(symlinks=Symlinks.IF_NOT_OWNER)


@pytest.fixture
def tree(tmp_path: Path) -> bytes:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "file").write_bytes(b"x")
    os.symlink("file", tmp_path / "d" / "link")
    os.symlink("d", tmp_path / "dirlink")
    return os.fsencode(tmp_path)


def failure(path: bytes, options: FileOptions, trusted: int = 0) -> tuple[int, str]:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileError) as caught:
        FILES.open(path, options, trusted)
    assert len(os.listdir("/proc/self/fd")) == before
    return caught.value.errno, caught.value.failed


def test_on_refuses_every_link(tree: bytes) -> None:
    assert FILES.open(tree + b"/d//file", ON).size == 1
    assert FILES.open(tree + b"/d/", ON).is_dir
    assert FILES.test(tree + b"/d/file", ON).is_file
    assert failure(tree + b"/d/link", ON) == (errno.ELOOP, "openat()")
    # O_PATH opens the link itself, which is no directory: 404, as from nginx
    assert failure(tree + b"/dirlink/file", ON) == (errno.ENOTDIR, "openat()")
    assert failure(tree + b"/none", ON) == (errno.ENOENT, "openat()")
    assert failure(tree + b"/d/\0", ON)[0] == errno.ENOENT


def test_off_follows(tree: bytes) -> None:
    assert FILES.open(tree + b"/dirlink/link").size == 1


def test_from_trusts_the_first_part(tree: bytes) -> None:
    trusted = len(tree + b"/dirlink")
    assert FILES.open(tree + b"/dirlink/file", ON, trusted).size == 1
    assert failure(tree + b"/dirlink/link", ON, trusted) == (errno.ELOOP, "openat()")
    assert failure(tree + b"/nobody/link", ON, len(tree + b"/nobody")) == (errno.ENOENT, "open()")


def test_if_not_owner(tree: bytes) -> None:
    assert FILES.open(tree + b"/dirlink/link", OWNER).size == 1
    if os.getuid() != 0:
        pytest.skip("needs root to give a link away")
    os.chown(tree + b"/d/link", 12345, -1, follow_symlinks=False)
    assert failure(tree + b"/d/link", OWNER) == (errno.ELOOP, "openat()")
    assert FILES.open(tree + b"/d/file", OWNER).size == 1


def test_log_files_follow_no_link_at_their_end(tree: bytes) -> None:
    options = FileOptions(log=True, symlinks=Symlinks.IF_NOT_OWNER)
    assert failure(tree + b"/d/link", options) == (errno.ELOOP, "openat()")
    assert FILES.open(tree + b"/d/new", options).is_file


def test_relative_paths(tree: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.fsdecode(tree))
    assert FILES.open(b"d/file", ON).size == 1
    assert failure(b"d/link", ON) == (errno.ELOOP, "openat()")


@pytest.mark.parametrize(
    ("trusted", "length"),
    [
        (b"", 0),
        (b"/srv", 4),
        (b"/srv/", 4),
        (b"/sr", 0),
        (b"/other", 0),
        (b"/srv/www/a", None),
        (b"/srv/www/a/b", 0),
    ],
)
def test_trusted_part(trusted: bytes, length: int | None) -> None:
    assert trusted_part(b"/srv/www/a", trusted) == length
