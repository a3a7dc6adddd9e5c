"""memcached's text protocol, as far as a `get` needs it: `VALUE key flags length`, the value, `END`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import ResponseHead, parse_response_head
from gateway.protocol.cgi import Reader

_TRAILER: Final = b"\r\nEND\r\n"

Log = Callable[[str, bytes], None]


def _no_log(level: str, message: bytes) -> None:
    return


def encode_get(key: bytes) -> bytes:
    """Ask for the value of a key, which is escaped already."""
    return b"get %b\r\n" % key


class MemcachedReader(Reader):
    """Reads one answer. A value is a 200, a missing one a 404."""

    __slots__ = ("_buffer", "_gzip_flag", "_key", "_log", "_trailer", "left", "size")

    def __init__(self, key: bytes, *, gzip_flag: int = 0, log: Log = _no_log) -> None:
        """`gzip_flag`: the bits of a value's flags that say that it is compressed. `log` takes level and message."""
        super().__init__()
        self._key = key
        self._gzip_flag = gzip_flag
        self._log = log
        self._buffer = b""
        self._trailer = _TRAILER  # what of it is still to come
        self.size = 0  # of the first line
        self.left = 0  # of the value

    def head_received(self) -> int:
        return self.size or len(self._buffer)

    def preread(self) -> int:
        return len(self._buffer) - self.size

    def receive_head(self, data: bytes) -> ResponseHead | None:
        """Errors: HeadError."""
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\n")
        if end < 0:
            return None
        self.size = end + 1
        line = buffer[:end]
        if not line.endswith(b"\r"):
            raise self._invalid(line)
        line = line[:-1]
        if line == b"END":
            self._log("info", b'key: "%b" was not found by memcached' % self._key)
            self.done = True
            self.keepalive = len(buffer) == self.size
            return _head(b"Status: 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        if not line.startswith(b"VALUE "):
            raise self._invalid(line)
        rest = line[6:]
        key = self._key
        if not rest.startswith(key):
            raise self._wrong(b"key", line)
        flags, space, length = rest[len(key) + 1 :].partition(b" ")
        if rest[len(key) : len(key) + 1] != b" " or not space:
            raise self._invalid(line)
        encoding = b""
        if self._gzip_flag:
            if not flags.isdigit() or len(flags) > 18:
                raise self._wrong(b"flags", line)
            if int(flags) & self._gzip_flag:
                encoding = b"Content-Encoding: gzip\r\n"
        if not length.isdigit() or len(length) > 18:
            raise self._wrong(b"length", line)
        self.left = int(length)
        return _head(b"Content-Length: %d\r\n%b\r\n" % (self.left, encoding))

    def begin_body(self, method: bytes, status: int, content_length: int, chunked: bool, close: bool) -> bytes:
        rest = self._buffer[self.size :]
        self._buffer = b""
        return self.receive_body(rest) if rest else b""

    def receive_body(self, data: bytes) -> bytes:
        if self.done:
            self.keepalive = False
            return b""
        part = data[: self.left]
        self.left -= len(part)
        rest = data[len(part) :]
        if rest:
            expected = self._trailer
            if not expected.startswith(rest):
                self._log("error", b"memcached sent invalid trailer")
                self.done = True
            else:
                self._trailer = expected[len(rest) :]
                self.done = self.keepalive = not self._trailer
        return part

    def receive_end(self) -> bool:
        return self.done

    def _invalid(self, line: bytes) -> HeadError:
        shown = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
        return HeadError(502, f'memcached sent invalid response: "{shown}"', level="error")

    def _wrong(self, what: bytes, line: bytes) -> HeadError:
        text = b'memcached sent invalid %b in response "%b" for key "%b"' % (what, line, self._key)
        return HeadError(502, text.decode("utf-8", "surrogateescape"), level="error")


def _head(text: bytes) -> ResponseHead:
    head = parse_response_head(text, 0, "cgi")
    assert head is not None
    return head
