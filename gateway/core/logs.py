"""The error log: nginx's levels, line and destinations (files, stderr, syslog)."""

from __future__ import annotations

import contextlib
import errno as errno_codes
import os
import time
from typing import Final, Protocol

from gateway._fast.files import write_line
from gateway.config.parts import Part
from gateway.core.log_forms import JSON, NGINX, Fields, json_line, with_id
from gateway.core.open_files import STDERR, OpenFile

EMERG: Final = 1
ALERT: Final = 2
CRIT: Final = 3
ERROR: Final = 4
WARN: Final = 5
NOTICE: Final = 6
INFO: Final = 7
DEBUG: Final = 8

LEVELS: Final[dict[str, int]] = {
    name: number
    for number, name in enumerate(("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"), EMERG)
}
_TAGS: Final = (b"", *(name.encode() for name in LEVELS))
_DEBUG_MASKS: Final = frozenset(
    f"debug_{name}" for name in ("core", "alloc", "mutex", "event", "http", "mail", "stream")
)

# nginx: NGX_MAX_ERROR_STR; longer lines are cut, so that one write stays one line.
MAX_LINE: Final = 2048

PROGRAM: Final = b"gateway"


def level_of(words: list[str]) -> int:
    """The level that the words after error_log's destination stand for; ValueError has nginx's message."""
    level = 0
    masked = False
    for word in words:
        if word in LEVELS:
            if level or masked:
                raise ValueError(f'duplicate log level "{word}"')
            level = LEVELS[word]
        elif word in _DEBUG_MASKS:
            # Masks choose among nginx's debug messages; here there is one kind of them.
            if level:
                raise ValueError(f'invalid log level "{word}"')
            masked = True
        else:
            raise ValueError(f'invalid log level "{word}"')
    return DEBUG if masked else level or ERROR


class Sink(Protocol):
    """One destination of a log."""

    level: int

    def write(self, level: int, line: bytes) -> None: ...


class FileSink:
    """Lines appended to a file or to stderr, each with one write(2)."""

    __slots__ = ("_full_at", "file", "form", "level")

    def __init__(self, file: OpenFile, level: int) -> None:
        self.file = file
        self.level = level
        self.form = NGINX
        self._full_at = 0

    def write(self, level: int, line: bytes) -> None:
        if self._full_at and self._full_at == int(time.time()):
            return  # a full disk is tried again in the next second, as nginx does
        try:
            write_line(self.file.fd, line)
            self._full_at = 0
        except OSError as error:
            if error.errno == errno_codes.ENOSPC:
                self._full_at = int(time.time())


class _Console:
    """Whether what matters is repeated on stderr: yes until the process has started up (ngx_use_stderr)."""

    __slots__ = ("enabled",)

    def __init__(self) -> None:
        self.enabled = True


console: Final = _Console()


class _Beginnings:
    """What a line has before its message: time, level and process; put together once a second."""

    __slots__ = ("_pid", "_second", "_texts")

    def __init__(self) -> None:
        self._second = -1
        self._pid = 0
        self._texts: dict[int, bytes] = {}  # by level

    def __call__(self, level: int) -> bytes:
        second = int(time.time())
        pid = os.getpid()
        if second != self._second or pid != self._pid:
            self._second, self._pid = second, pid
            self._texts.clear()
        text = self._texts.get(level)
        if text is None:
            moment = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(second)).encode()
            text = self._texts[level] = b"%b [%b] %d#%d: " % (moment, _TAGS[level], pid, pid)
        return text


_beginning: Final = _Beginnings()


class Log:
    """The error log of a block: its destinations, the most talkative first."""

    __slots__ = ("has_forms", "level", "sinks")

    def __init__(self, *sinks: Sink) -> None:
        self.level = 0  # the highest level that any destination takes; callers may test it before formatting
        self.has_forms = False  # some destination has lines that are not nginx's, and wants to know the request's id
        self.sinks: list[Sink] = []
        for sink in sinks:
            self.add(sink)

    def add(self, sink: Sink) -> None:
        """Add a destination; equal levels keep the order of the configuration."""
        at = len(self.sinks)
        for index, other in enumerate(self.sinks):
            if sink.level > other.level:
                at = index
                break
        self.sinks.insert(at, sink)
        self.level = self.sinks[0].level
        self.has_forms = self.has_forms or getattr(sink, "form", NGINX) != NGINX

    def first_file(self) -> OpenFile | None:
        """The first destination that is a file or stderr; a started process has its stderr there."""
        for sink in self.sinks:
            if isinstance(sink, FileSink):
                return sink.file
        return None

    def write(
        self,
        level: int,
        message: str | bytes,
        *,
        errno: int = 0,
        connection: int = 0,
        context: str | bytes = b"",
        fields: Fields = (),
    ) -> None:
        """Log one line: `message`, the error's text, then the caller's context (", client: …"), which `fields` may give
        one by one for destinations whose form has them so."""
        if level > self.level and not (console.enabled and level <= WARN):
            return
        words = _bytes(message)
        if errno:
            words += b" (%d: %b)" % (errno, _bytes(os.strerror(errno)))
        body = words + _bytes(context)
        # joined, not formatted: a site's errors may be as many as its requests
        number = b"*%d " % connection if connection else b""
        line = b"".join((_beginning(level), number, body, b"\n"))
        if len(line) > MAX_LINE:
            line = line[: MAX_LINE - 1] + b"\n"
        wrote_stderr = False
        for sink in self.sinks:
            if sink.level < level:
                break
            form = getattr(sink, "form", NGINX) if self.has_forms else NGINX
            if form == NGINX:
                sink.write(level, line)
            elif form == JSON:
                said = words if fields else body
                sink.write(level, json_line(_TAGS[level].decode(), os.getpid(), connection, said, errno, fields))
            else:
                sink.write(level, with_id(line, fields))
            if isinstance(sink, FileSink) and sink.file.fd == STDERR:
                wrote_stderr = True
        if console.enabled and level <= WARN and not wrote_stderr:
            say(b"[%b] %b" % (_TAGS[level], body))

    def emerg(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(EMERG, message, errno=errno)

    def alert(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(ALERT, message, errno=errno)

    def crit(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(CRIT, message, errno=errno)

    def error(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(ERROR, message, errno=errno)

    def warn(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(WARN, message, errno=errno)

    def notice(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(NOTICE, message, errno=errno)

    def info(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(INFO, message, errno=errno)

    def debug(self, message: str | bytes, *, errno: int = 0) -> None:
        self.write(DEBUG, message, errno=errno)


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def say(message: str | bytes) -> None:
    """A line on stderr with the program's name, as nginx's ngx_log_stderr."""
    with contextlib.suppress(OSError):
        os.write(STDERR, b"%b: %b\n" % (PROGRAM, _bytes(message)))


LOG: Final = Part("log", Log)  # of the main context
