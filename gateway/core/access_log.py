"""Where access log lines go: files, buffered or compressed, files with variables in their names, syslog.

nginx: ngx_http_log_write() and what stands around it in ngx_http_log_module.c.
Compiled with the types of access_log.pxd.
"""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from gateway._fast.files import write_line
from gateway.core.files import FileError, FileOptions, Opener
from gateway.core.open_files import OpenFile
from gateway.core.syslog import SyslogPeer

# complaints about one log: at most once a minute
_COMPLAIN_EVERY_S = 59
_GZIP_WINDOW = zlib.MAX_WBITS + 16
_GZIP_MEMORY = zlib.DEF_MEM_LEVEL

Descriptor = int  # C's long where it is compiled

# (seconds, callback): the lane's timers; what it returns can be cancelled
CallLater = Callable[[float, Callable[[], None]], Any]


class Reporter(Protocol):
    """Who has something to say when a line cannot be written: a request, a session, the main log's."""

    def log(self, level: str, message: str, error: OSError | None = None) -> object: ...


class LogWriter(Protocol):
    """A destination of access log lines; a line comes with its newline."""

    def write(self, line: bytes, report: Reporter) -> None: ...


class _Complaints:
    """nginx's patience with a log that cannot be written: silence for a second, a line a minute."""

    def __init__(self) -> None:
        self.full_at = 0
        self.told_at = -_COMPLAIN_EVERY_S - 1

    def full(self) -> bool:
        """Whether the disk was full within this second: writing may take long then, and is left."""
        return self.full_at != 0 and self.full_at == int(time.time())

    def add(self, name: str, report: Reporter, error: OSError | None, message: str) -> None:
        now = int(time.time())
        if error is not None and error.errno == errno.ENOSPC:
            self.full_at = now
        if now - self.told_at > _COMPLAIN_EVERY_S:
            self.told_at = now
            report.log("alert", f'write() to "{name}" {message}', error)


class FileLog:
    """One file for all access_log directives that name it; `buffer()` makes it a buffered one."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file
        self.parameters: tuple[int, float, int] | None = None  # size, flush, gzip level
        self._complaints = _Complaints()
        self._lines: list[bytes] = []
        self._held = 0
        self._timer: Any = None
        self._call_later: CallLater | None = None
        self._report: Reporter = _Nobody()

    def buffer(self, size: int, flush_s: float, gzip_level: int) -> bool:
        """Collect up to `size` bytes, for flush_s at most (0: no limit); False if they were others before."""
        parameters = (size, flush_s, gzip_level)
        if self.parameters is None:
            self.parameters = parameters
            self.file.flush = self.flush
        return self.parameters == parameters

    def start(self, call_later: CallLater, report: Reporter) -> None:
        """A worker begins: flush= has its timers from here on, and complaints of the timer go to `report`."""
        self._call_later = call_later
        self._report = report

    def write(self, line: bytes, report: Reporter) -> None:
        if self._complaints.full():
            return
        parameters = self.parameters
        if parameters is None:
            self._send(line, report)
            return
        size, flush_s, _ = parameters
        if self._held + len(line) > size:
            self._drain(report)
        if len(line) > size:
            self._send(line, report)
            return
        if flush_s and not self._lines and self._call_later is not None:
            self._timer = self._call_later(flush_s, self.flush)
        self._lines.append(line)
        self._held += len(line)

    def flush(self) -> None:
        """Write out what is held: on its timer, before the file is reopened, at the worker's end."""
        self._drain(self._report)

    def _drain(self, report: Reporter) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            block = b"".join(self._lines)
            self._lines.clear()
            self._held = 0
            self._send(block, report)

    def _send(self, block: bytes, report: Reporter) -> None:
        if self.parameters is not None and self.parameters[2]:
            block = _compressed(block, self.parameters[2])
        _write(self.file.fd, block, self.file, self._complaints, report)


class PathLog:
    """A log whose path holds variables: opened for each line, through open_log_file_cache if there is one."""

    def __init__(self, opener: Opener, options: FileOptions) -> None:
        self._opener = opener
        self._options = options
        self._complaints = _Complaints()

    def write_to(self, path: bytes, line: bytes, report: Reporter, symlinks_from: int = 0) -> None:
        """Append a line to the file of this name, which is made if it is missing (its directory is not)."""
        if self._complaints.full():
            return
        try:
            file = self._opener.open(path, self._options, symlinks_from)
        except FileError as error:
            report.log("crit", error.message, OSError(error.errno, os.strerror(error.errno)))
            return
        if file.fd < 0:
            report.log("crit", f'open() "{os.fsdecode(path)}" failed', OSError(errno.EISDIR, os.strerror(errno.EISDIR)))
            return
        _write(file.fd, line, path, self._complaints, report)


class SyslogLog:
    """Lines sent to a syslog server."""

    def __init__(self, peer: SyslogPeer) -> None:
        self.peer = peer

    def write(self, line: bytes, report: Reporter) -> None:
        if not self.peer.send(line[:-1]):
            report.log("warn", "send() to syslog failed")


def _write(fd: Descriptor, block: bytes, file: OpenFile | bytes, complaints: _Complaints, report: Reporter) -> None:
    try:
        written = write_line(fd, block)
    except OSError as error:
        complaints.add(_name(file), report, error, "failed")
        return
    if written != len(block):
        complaints.add(_name(file), report, None, f"was incomplete: {written} of {len(block)}")


def _name(file: OpenFile | bytes) -> str:
    return os.fsdecode(file) if isinstance(file, bytes) else file.name


def _compressed(block: bytes, level: int) -> bytes:
    """A gzip member of its own: what is written can be read even when the next one is cut."""
    gzip = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW, _GZIP_MEMORY)
    return gzip.compress(block) + gzip.flush()


class _Nobody:
    """Hears complaints before any worker has begun."""

    def log(self, level: str, message: str, error: OSError | None = None) -> None: ...
