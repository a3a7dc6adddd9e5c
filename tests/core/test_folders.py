"""What is in a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.core import folders
from gateway.core.files import FileError


def listed(path: Path) -> dict[bytes, folders.Entry]:
    return {entry.name: folders.look(entry) for entry in folders.names(os.fsencode(path))}


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").touch()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    os.utime(tmp_path / "file", (0, 86400.9))
    found = listed(tmp_path)
    assert set(found) == {b"file", b"folder", b"link", b"broken", b"loop", b"pipe"}
    assert found[b"file"] == folders.Entry(b"file", False, True, 3, 86400)
    assert found[b"folder"].is_dir
    assert found[b"link"].is_dir
    for name in (b"broken", b"loop", b"pipe"):
        assert not found[name].is_dir
        assert not found[name].is_file


@pytest.mark.parametrize(("name", "code"), [("nothing", errno.ENOENT), ("file", errno.ENOTDIR), ("a\0b", errno.ENOENT)])
def test_no_folder(tmp_path: Path, name: str, code: int) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="opendir") as caught:
        folders.names(os.fsencode(tmp_path) + b"/" + name.encode())
    assert caught.value.errno == code


def test_gone_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    entry = folders.names(os.fsencode(tmp_path))[0]
    (tmp_path / "file").unlink()
    with pytest.raises(FileError, match="stat"):
        folders.look(entry)
