"""access_log: buffers, compression, complaints."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.core.access_log import FileLog, PathLog, SyslogLog
from gateway.core.files import FileOptions, PlainFiles
from gateway.core.open_file_cache import OpenFileCache
from gateway.core.open_files import OpenFile, OpenFiles
from gateway.core.syslog import parse

LOG = FileOptions(log=True)


class Reports(list[tuple[str, str, int]]):
    def log(self, level: str, message: str, error: OSError | None = None) -> None:
        self.append((level, message, (error.errno or 0) if error is not None else 0))


class Timers:
    """Stands in for the lane's: fires when told."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, delay_s: float, callback: Callable[[], None]) -> Timers._Timer:
        entry = (delay_s, callback)
        self.waiting.append(entry)
        return Timers._Timer(self, entry)

    class _Timer:
        def __init__(self, timers: Timers, entry: tuple[float, Callable[[], None]]) -> None:
            self.timers, self.entry = timers, entry

        def cancel(self) -> None:
            if self.entry in self.timers.waiting:
                self.timers.waiting.remove(self.entry)


@pytest.fixture
def files() -> Iterator[OpenFiles]:
    files = OpenFiles()
    yield files
    files.close()


def opened(files: OpenFiles, path: Path) -> OpenFile:
    file = files.add(str(path))
    files.open()
    return file


def test_a_plain_log_writes_each_line(tmp_path: Path, files: OpenFiles) -> None:
    reports = Reports()
    log = FileLog(opened(files, tmp_path / "log"))
    log.write(b"one\n", reports)
    assert (tmp_path / "log").read_bytes() == b"one\n"
    (tmp_path / "log").rename(tmp_path / "old")
    files.reopen(None, lambda message: None)
    log.write(b"two\n", reports)
    assert (tmp_path / "log").read_bytes() == b"two\n" and reports == []


def test_a_buffered_log_writes_when_it_is_full(tmp_path: Path, files: OpenFiles) -> None:
    reports = Reports()
    path = tmp_path / "log"
    log = FileLog(opened(files, path))
    assert log.buffer(10, 0, 0) and log.buffer(10, 0, 0) and not log.buffer(11, 0, 0)
    log.write(b"one\n", reports)
    log.write(b"twoo\n", reports)
    assert path.read_bytes() == b""
    log.write(b"3\n", reports)
    assert path.read_bytes() == b"one\ntwoo\n"
    log.write(b"longer than ten\n", reports)
    assert path.read_bytes() == b"one\ntwoo\n3\nlonger than ten\n"
    log.write(b"last\n", reports)
    files.flush()
    assert path.read_bytes().endswith(b"last\n")


def test_a_buffer_is_flushed_in_time_and_before_a_reopen(tmp_path: Path, files: OpenFiles) -> None:
    reports, timers = Reports(), Timers()
    path = tmp_path / "log"
    log = FileLog(opened(files, path))
    log.buffer(1000, 2.5, 0)
    log.start(timers, reports)
    log.write(b"one\n", reports)
    log.write(b"two\n", reports)
    assert [delay for delay, _ in timers.waiting] == [2.5]
    timers.waiting[0][1]()
    assert path.read_bytes() == b"one\ntwo\n" and timers.waiting == []
    log.write(b"three\n", reports)
    path.rename(tmp_path / "old")
    files.reopen(None, lambda message: None)
    assert timers.waiting == []
    assert (tmp_path / "old").read_bytes() == b"one\ntwo\nthree\n" and path.read_bytes() == b""


def test_compressed_blocks_are_members(tmp_path: Path, files: OpenFiles) -> None:
    reports = Reports()
    path = tmp_path / "log.gz"
    log = FileLog(opened(files, path))
    log.buffer(64, 0, 6)
    lines = [b"line %d\n" % i for i in range(50)]
    for line in lines:
        log.write(line, reports)
    log.flush()
    log.flush()
    data = path.read_bytes()
    assert gzip.decompress(data) == b"".join(lines)
    assert data.count(b"\x1f\x8b\x08") > 3


def test_a_full_disk_is_complained_about_once(files: OpenFiles) -> None:
    reports = Reports()
    log = FileLog(opened(files, Path("/dev/full")))
    for _ in range(3):
        log.write(b"x\n", reports)
    assert reports == [("alert", 'write() to "/dev/full" failed', 28)]


def test_an_incomplete_write(tmp_path: Path) -> None:
    reports = Reports()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    file = OpenFile("pipe")
    file.fd = writing
    FileLog(file).write(b"x" * 100_000, reports)
    assert reports == [("alert", 'write() to "pipe" was incomplete: 65536 of 100000', 0)]
    os.close(reading)
    os.close(writing)


def test_a_path_with_variables(tmp_path: Path) -> None:
    reports = Reports()
    for opener in (PlainFiles(), OpenFileCache(10)):
        log = PathLog(opener, LOG)
        log.write_to(os.fsencode(tmp_path / "a"), b"x\n", reports)
        log.write_to(os.fsencode(tmp_path / "b"), b"y\n", reports)
    assert (tmp_path / "a").read_bytes() == b"x\nx\n" and (tmp_path / "b").read_bytes() == b"y\ny\n"
    assert reports == []
    log.write_to(os.fsencode(tmp_path / "no" / "a"), b"x\n", reports)
    log.write_to(os.fsencode(tmp_path), b"x\n", reports)
    assert reports == [
        ("crit", f'open() "{tmp_path}/no/a" failed', 2),
        ("crit", f'open() "{tmp_path}" failed', 21),
    ]


def test_syslog(tmp_path: Path) -> None:
    reports = Reports()
    path = str(tmp_path / "syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        peer = parse(f"server=unix:{path},nohostname,tag=t,severity=info")
        SyslogLog(peer).write(b"a line\n", reports)
        assert server.recv(1000).endswith(b" t: a line")
        assert reports == []
    os.unlink(path)
    SyslogLog(peer).write(b"lost\n", reports)
    assert reports == [("warn", "send() to syslog failed", 0)]
    peer.close()
