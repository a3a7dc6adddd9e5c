"""The error log: levels, line, destinations."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from gateway.core import logs
from gateway.core.logs import DEBUG, ERROR, INFO, MAX_LINE, NOTICE, WARN, FileSink, Log, level_of
from gateway.core.open_files import OpenFiles


@pytest.fixture(autouse=True)
def quiet_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.console, "enabled", False)


def open_log(path: Path, level: int) -> tuple[Log, OpenFiles]:
    files = OpenFiles()
    log = Log(FileSink(files.add(str(path)), level))
    files.open()
    return log, files


def test_line_is_nginx_s(tmp_path: Path) -> None:
    log, files = open_log(tmp_path / "e", ERROR)
    log.write(
        ERROR, 'open() "/x" failed', errno=errno.ENOENT, connection=7, context=b", client: 127.0.0.1, server: \xff"
    )
    files.close()
    line = (tmp_path / "e").read_bytes()
    pid = os.getpid()
    assert re.fullmatch(
        rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] %d#%d: \*7 "
        rb'open\(\) "/x" failed \(2: No such file or directory\), client: 127\.0\.0\.1, server: \xff\n' % (pid, pid),
        line,
    )


def test_levels_choose_destinations(tmp_path: Path) -> None:
    files = OpenFiles()
    log = Log(
        FileSink(files.add(str(tmp_path / "warn")), WARN),
        FileSink(files.add(str(tmp_path / "info")), INFO),
        FileSink(files.add(str(tmp_path / "error")), ERROR),
    )
    files.open()
    assert log.level == INFO
    log.debug("d")
    log.info("i")
    log.notice("n")
    log.warn("w")
    log.error("e")
    files.close()
    found = {name: re.findall(r"\[(\w+)\]", (tmp_path / name).read_text()) for name in ("info", "warn", "error")}
    assert found == {"info": ["info", "notice", "warn", "error"], "warn": ["warn", "error"], "error": ["error"]}


def test_same_file_twice_gets_two_lines(tmp_path: Path) -> None:
    files = OpenFiles()
    name = str(tmp_path / "e")
    log = Log(FileSink(files.add(name), WARN), FileSink(files.add(name), ERROR))
    files.open()
    log.error("x")
    files.close()
    assert len((tmp_path / "e").read_text().splitlines()) == 2


def test_long_line_is_cut(tmp_path: Path) -> None:
    log, files = open_log(tmp_path / "e", ERROR)
    log.error("x" * 5000)
    files.close()
    line = (tmp_path / "e").read_bytes()
    assert len(line) == MAX_LINE
    assert line.endswith(b"x\n")


def test_console_repeats_what_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs.console, "enabled", True)
    log, files = open_log(tmp_path / "e", NOTICE)
    log.notice("quiet")
    log.warn("loud")
    log.emerg("bind() failed", errno=errno.EADDRINUSE)
    files.close()
    assert capfd.readouterr().err == (
        "gateway: [warn] loud\ngateway: [emerg] bind() failed (98: Address already in use)\n"
    )


def test_console_is_not_told_twice(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logs.console, "enabled", True)
    log = Log(FileSink(OpenFiles().add(""), WARN))
    log.warn("once")
    err = capfd.readouterr().err
    assert err.count("once") == 1
    assert "#" in err


@pytest.mark.parametrize(
    ("words", "level"),
    [([], ERROR), (["debug"], DEBUG), (["warn"], WARN), (["debug_http"], DEBUG), (["debug_http", "debug_core"], DEBUG)],
)
def test_level_words(words: list[str], level: int) -> None:
    assert level_of(words) == level


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loud"], 'invalid log level "loud"'),
        (["warn", "info"], 'duplicate log level "info"'),
        (["info", "debug_http"], 'invalid log level "debug_http"'),
        (["debug_http", "info"], 'duplicate log level "info"'),
    ],
)
def test_bad_level_words(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        level_of(words)
