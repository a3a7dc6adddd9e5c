"""Log files: opened once, reopened by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.core.open_files import STDERR, OpenFiles


def test_one_file_for_one_name(tmp_path: Path) -> None:
    files = OpenFiles()
    assert files.add(str(tmp_path / "a")) is files.add(str(tmp_path / "a"))
    assert files.add("").fd == STDERR


def test_reopen_follows_the_name(tmp_path: Path) -> None:
    files = OpenFiles()
    file = files.add(str(tmp_path / "a"))
    files.open()
    os.write(file.fd, b"one\n")
    (tmp_path / "a").rename(tmp_path / "a.1")
    os.write(file.fd, b"two\n")
    files.reopen(None, pytest.fail)
    os.write(file.fd, b"three\n")
    files.close()
    assert (tmp_path / "a.1").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "a").read_bytes() == b"three\n"


def test_reopen_flushes_to_the_old_file(tmp_path: Path) -> None:
    files = OpenFiles()
    file = files.add(str(tmp_path / "a"))
    files.open()

    def flush() -> None:
        os.write(file.fd, b"buffered\n")

    file.flush = flush
    (tmp_path / "a").rename(tmp_path / "a.1")
    files.reopen(None, pytest.fail)
    files.close()
    assert (tmp_path / "a.1").read_bytes() == b"buffered\n"


def test_reopen_that_fails_keeps_the_old_descriptor(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    files = OpenFiles()
    file = files.add(str(folder / "a"))
    files.open()
    folder.rename(tmp_path / "gone")
    complaints: list[str] = []
    files.reopen(None, complaints.append)
    os.write(file.fd, b"still\n")
    files.close()
    assert complaints == [f'open() "{folder}/a" failed (2: No such file or directory)']
    assert (tmp_path / "gone/a").read_bytes() == b"still\n"


def test_open_that_fails_names_the_file(tmp_path: Path) -> None:
    files = OpenFiles()
    files.add(str(tmp_path / "no/such"))
    with pytest.raises(FileNotFoundError) as caught:
        files.open()
    assert caught.value.filename == str(tmp_path / "no/such")


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    files = OpenFiles()
    file = files.add(str(tmp_path / "a"))
    files.open()
    assert not os.get_inheritable(file.fd)
    files.close()
