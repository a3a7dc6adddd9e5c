"""Trees copied, moved and deleted; what is behind links stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.core import file_tree
from gateway.core.files import FileError


def made(path: Path) -> bytes:
    (path / "sub").mkdir(parents=True)
    (path / "file").write_text("one")
    (path / "file").chmod(0o640)
    (path / "sub" / "deep").write_text("two")
    os.utime(path / "sub" / "deep", (1000, 1000))
    return os.fsencode(path)


def nothing(error: FileError) -> None:
    raise error


def test_copy(tmp_path: Path) -> None:
    file_tree.copy_tree(made(tmp_path / "a"), os.fsencode(tmp_path / "b"), nothing)
    assert (tmp_path / "b" / "file").read_text() == "one"
    assert stat.S_IMODE((tmp_path / "b" / "file").stat().st_mode) == 0o640
    assert (tmp_path / "b" / "sub" / "deep").stat().st_mtime == 1000
    with pytest.raises(FileError, match="mkdir"):
        file_tree.copy_tree(os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b"), nothing)


def test_delete_leaves_what_links_lead_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    made(outside)
    inside = made(tmp_path / "a")
    (tmp_path / "a" / "link").symlink_to(outside)
    (tmp_path / "a" / "to-file").symlink_to(outside / "file")
    file_tree.delete(inside, True, nothing)
    assert not (tmp_path / "a").exists()
    assert (outside / "sub" / "deep").exists()
    assert (outside / "file").exists()


def test_copy_does_not_enter_links(tmp_path: Path) -> None:
    source = made(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "broken").symlink_to("nowhere")
    file_tree.copy_tree(source, os.fsencode(tmp_path / "b"), nothing)
    assert sorted(os.listdir(tmp_path / "b")) == ["file", "sub"]


def test_what_fails_inside_is_told_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "a")
    unlink = os.unlink

    def refusing(name: bytes) -> None:
        if name.endswith(b"/file"):
            raise PermissionError(13, "no")
        unlink(name)

    monkeypatch.setattr(os, "unlink", refusing)
    told: list[FileError] = []
    with pytest.raises(FileError, match="rmdir"):
        file_tree.delete(path, True, told.append)
    assert [error.failed for error in told] == ["unlink()"]
    assert not (tmp_path / "a" / "sub").exists()


def test_move_makes_folders(tmp_path: Path) -> None:
    made(tmp_path / "a")
    target = tmp_path / "x" / "y" / "z"
    file_tree.move_file(os.fsencode(tmp_path / "a" / "file"), os.fsencode(target), 0o700)
    assert target.read_text() == "one"
    with pytest.raises(FileError, match="rename"):
        file_tree.move_file(os.fsencode(tmp_path / "none"), os.fsencode(target), 0o700)


def test_move_onto_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "a")
    rename = os.rename

    def refusing(source: bytes, target: bytes) -> None:
        if os.path.dirname(source) != os.path.dirname(target):
            raise OSError(18, "another device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    file_tree.move_file(os.fsencode(tmp_path / "a" / "file"), os.fsencode(tmp_path / "there"), 0o700)
    assert (tmp_path / "there").read_text() == "one"
    assert not (tmp_path / "a" / "file").exists()
    assert sorted(os.listdir(tmp_path)) == ["a", "there"]
