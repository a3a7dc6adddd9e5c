"""The pid file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.process import pidfile
from gateway.process.errors import CycleError
from tests.process.memory_log import memory_log


def test_written_read_deleted(tmp_path: Path) -> None:
    log, lines = memory_log()
    name = str(tmp_path / "pid")
    pidfile.create(name, log)
    assert pidfile.read(name, log) == os.getpid()
    pidfile.delete(name, log)
    assert not os.path.exists(name)
    assert lines == []


def test_a_test_leaves_what_is_there(tmp_path: Path) -> None:
    log, _ = memory_log()
    name = tmp_path / "pid"
    name.write_text("17\n")
    pidfile.create(str(name), log, testing=True)
    assert name.read_text() == "17\n"


def test_failures_in_nginx_s_words(tmp_path: Path) -> None:
    log, lines = memory_log()
    name = f"{tmp_path}/no/pid"
    with pytest.raises(CycleError):
        pidfile.create(name, log)
    assert pidfile.read(name, log) is None
    pidfile.delete(name, log)
    assert lines == [
        f'[emerg] open() "{name}" failed (2: No such file or directory)',
        f'[error] open() "{name}" failed (2: No such file or directory)',
        f'[alert] unlink() "{name}" failed (2: No such file or directory)',
    ]


@pytest.mark.parametrize("text", ["", "x", "-1", "1 2"])
def test_what_is_no_number(tmp_path: Path, text: str) -> None:
    log, lines = memory_log()
    name = tmp_path / "pid"
    name.write_text(text + "\r\n")
    assert pidfile.read(str(name), log) is None
    assert lines == [f'[error] invalid PID number "{text}" in "{name}"']
