"""A file is read as far as stat() says, and nobody is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config import parser
from gateway.config.whole_file import read_whole


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 300_000)
    assert read_whole(str(file)) == read_whole(os.fsencode(file)) == b"x" * 300_000


def test_what_has_no_length_is_empty_and_waits_for_nobody(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert read_whole("/dev/zero") == read_whole("/dev/null") == read_whole(str(fifo)) == b""


def test_a_directory_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_whole(str(tmp_path))


def test_nothing_stays_open(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    before = os.listdir("/proc/self/fd")
    read_whole(str(file))
    with pytest.raises(IsADirectoryError):
        read_whole(str(tmp_path))
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "fifo"])
def test_an_include_of_such_a_file_adds_nothing(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    source = parser.parse(f"include {name}; user root;", "nginx.conf", conf_prefix=f"{tmp_path}/")
    assert [statement.name for statement in source.statements] == ["user"]


def test_an_include_of_a_directory_says_so(tmp_path: Path) -> None:
    source = parser.parse(f"include {tmp_path};", "nginx.conf")
    assert str(source.error) == f'pread() "{tmp_path}" failed (21: Is a directory)'
