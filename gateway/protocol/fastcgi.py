"""FastCGI: a request and its answer in records (the FastCGI specification, version 1).

A record is a header of eight bytes (version, type, request id, length of the content and of the padding), the content,
and the padding. A request is BEGIN_REQUEST, PARAMS and STDIN, each stream ended by a record without content; an answer
is STDOUT, whose text is that of a CGI program, STDERR in between, and END_REQUEST. One request at a time is asked on a
connection, with id 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import ResponseHead, parse_response_head
from gateway.protocol.cgi import Number, Reader

BEGIN_REQUEST: Final = 1
END_REQUEST: Final = 3
PARAMS: Final = 4
STDIN: Final = 5
STDOUT: Final = 6
STDERR: Final = 7

_HEADER: Final = struct.Struct(">BBHHBx")
_ANSWERS: Final = frozenset({END_REQUEST, STDOUT, STDERR})
# Bound as numbers of C's (fastcgi.pxd): each record is compared with them.
_END: Final = END_REQUEST
_OUT: Final = STDOUT
_ERR: Final = STDERR
_RESPONDER: Final = 1
_KEEP_CONN: Final = 1

# The most content of a PARAMS record: PHP refuses one that is longer with its padding, and reads each by itself.
MAX_PARAMS: Final = 0xFFF8
STDIN_SIZE: Final = 32768  # content of one STDIN record, as nginx cuts it

Field = tuple[bytes, bytes]
Parts = list[bytes]


def header(kind: int, length: int, padding: int = 0) -> bytes:
    """The header of a record."""
    return _HEADER.pack(1, kind, 1, length, padding)


def record(kind: int, content: bytes = b"") -> bytes:
    """A whole record, padded to a multiple of eight bytes."""
    padding = -len(content) % 8
    return header(kind, len(content), padding) + content + bytes(padding)


STDIN_END: Final = record(STDIN)
_PARAMS_END: Final = record(PARAMS)
_BEGIN: Final = record(BEGIN_REQUEST, struct.pack(">HB5x", _RESPONDER, 0))
_BEGIN_AND_KEEP: Final = record(BEGIN_REQUEST, struct.pack(">HB5x", _RESPONDER, _KEEP_CONN))


def _length(size: int) -> bytes:
    return struct.pack(">I", size | 0x80000000) if size > 127 else bytes((size,))


def begin(pairs: Iterable[Field], keep: bool) -> bytes:
    """BEGIN_REQUEST and PARAMS. Errors: OverflowError(size) for one pair that fits into no record."""
    parts = [_BEGIN_AND_KEEP if keep else _BEGIN]
    content: list[bytes] = []
    size = 0
    for name, value in pairs:
        name_size = len(name)
        value_size = len(value)
        if name_size < 128 and value_size < 128:
            lengths = bytes((name_size, value_size))
        else:
            lengths = _length(name_size) + _length(value_size)
        added = len(lengths) + name_size + value_size
        if added > MAX_PARAMS:
            raise OverflowError(added)
        if size + added > MAX_PARAMS:
            parts.append(record(PARAMS, b"".join(content)))
            content = []
            size = 0
        content += (lengths, name, value)
        size += added
    if content:
        parts.append(record(PARAMS, b"".join(content)))
    parts.append(_PARAMS_END)
    return b"".join(parts)


def stdin(data: bytes) -> bytes:
    """A part of the request's body in records; of no data the end of it."""
    if len(data) <= STDIN_SIZE:
        return record(STDIN, data)
    return b"".join(record(STDIN, data[at : at + STDIN_SIZE]) for at in range(0, len(data), STDIN_SIZE))


def check_header(data: bytes) -> None:
    """Check as much as there is of the header of a record that answers. Errors: HeadError, with nginx's words."""
    version, kind, request_id, _, _ = _HEADER.unpack(data[:8].ljust(8, b"\0"))
    have = len(data)
    if have > 0 and version != 1:
        raise _refused(f"upstream sent unsupported FastCGI protocol version: {version}")
    if have > 1 and kind not in _ANSWERS:
        raise _refused(f"upstream sent invalid FastCGI record type: {kind}")
    if have > 2 and request_id >> 8:
        raise _refused(f"upstream sent unexpected FastCGI request id high byte: {request_id >> 8}")
    if have > 3 and request_id != 1:
        raise _refused(f"upstream sent unexpected FastCGI request id low byte: {request_id & 0xFF}")


def _refused(message: str, part: bytes = b"") -> HeadError:
    return HeadError(502, message, level="error", part=part)


def _no_stderr(text: bytes) -> bool:
    return True


class FastcgiReader(Reader):
    """Reads one answer."""

    def __init__(
        self, *, keep: bool = False, on_stderr: Callable[[bytes], bool] = _no_stderr, limit: Number = 0
    ) -> None:
        """`keep`: the application was asked to keep the connection, so only END_REQUEST ends the answer.
        `limit`: of what comes before the head is whole (fastcgi_buffer_size); receive_head() looks at no more.

        `on_stderr` is given what a STDERR record says; what it says of one before the head decides whether the answer
        is taken (fastcgi_catch_stderr).
        """
        Reader.__init__(self)
        self.keep = keep
        self.limit = limit
        self._on_stderr = on_stderr
        self._head_received = 0  # of what nginx would have in its buffer
        self.left = -1  # of the body, -1: until the end
        self._promised = -1  # what an answer to HEAD says: it need not have a body, but one that it has is so long
        self._waiting = b""  # received and not looked at yet
        self._kind = 0  # the present record; 0 before its header is whole
        self._length = 0  # what is still to come of its content
        self._padding = 0
        self._stderr: list[bytes] = []  # of the present record
        self._content: list[bytes] = []  # the STDOUT of the head, as far as it is here
        self._text = b""  # the STDOUT that came behind the head in its record

    def head_received(self) -> Number:
        return self._head_received

    def preread(self) -> Number:
        return len(self._text) + len(self._waiting)

    def receive_head(self, data: bytes) -> ResponseHead | None:
        """Errors: HeadError; its message is empty where `on_stderr` did not want the answer."""
        waiting = self._waiting + data if self._waiting else data
        at = 0
        size = len(waiting)
        try:
            while True:
                if not self._kind:
                    kind = self._begin(waiting, at)
                    if not kind:
                        return None
                    at += 8
                    if kind == _END:
                        raise _refused(f"upstream sent unexpected FastCGI record: {_END}")
                    if kind == _OUT and not self._length:
                        raise _refused("upstream prematurely closed FastCGI stdout")
                    self._head_received += 8
                    if self.limit and self._head_received > self.limit:
                        return None
                part = waiting[at : at + self._length]
                at += len(part)
                self._length -= len(part)
                self._head_received += len(part)
                if self._kind == _ERR:
                    self._stderr.append(part)
                    if not self._length and not self._tell_stderr():
                        raise _refused("")
                    if part and not self._content:
                        self._pass_over(at == size)
                elif part:
                    self._content.append(part)
                    text = b"".join(self._content)
                    self._content = [text]
                    head = parse_response_head(text, 0, "cgi")
                    if head is not None:
                        self._head_received -= len(text) - head.size
                        self._text = text[head.size :]
                        self._content = []
                        return head
                if not self._length:
                    skipped = min(self._padding, size - at)
                    at += skipped
                    self._padding -= skipped
                    self._head_received += skipped
                if self._length or self._padding or (self.limit and self._head_received >= self.limit):
                    return None
                self._kind = 0
        finally:
            self._waiting = waiting[at:]

    def _pass_over(self, all_: bool) -> None:
        """STDERR was the last that was looked at. nginx's buffer is empty again where such a part fills it, or is the
        end of what is here (`all_`): so much of an application's complaints is no part of the head."""
        limit = self.limit
        if all_:
            self._head_received = 0
        elif limit and self._head_received >= limit:
            self._head_received = (self._head_received - limit) % limit

    def begin_body(self, method: bytes, status: Number, content_length: Number, chunked: bool, close: bool) -> bytes:
        """The part of the body that came with the head. Errors: HeadError."""
        if status in (204, 304):
            self.left = 0
        elif method != b"HEAD":
            self.left = content_length
        else:
            self._promised = content_length
        parts: list[bytes] = []
        text, self._text = self._text, b""
        if text:
            self._take(text, parts)
        if not self.done:
            waiting, self._waiting = self._waiting, b""
            self._read(waiting, parts)
        return b"".join(parts)

    def receive_body(self, data: bytes) -> bytes:
        """Errors: HeadError; its `part` is what came of the body before."""
        if self.done:
            self.keepalive = False
            return b""
        waiting = self._waiting + data if self._waiting else data
        self._waiting = b""
        parts: list[bytes] = []
        self._read(waiting, parts)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def prompt(self) -> bool:
        """Records have an end of their own: what is here is passed on, full buffer or not."""
        return self.keep

    def receive_end(self) -> bool:
        if self._stderr:
            self._tell_stderr()
        return self.done or (not self.keep and self.left <= 0)

    def _begin(self, data: bytes, at: Number) -> Number:
        """Take the header at this place; the record's type, 0 if it is not all there."""
        if len(data) < at + 8:
            check_header(data[at:])
            return 0
        kind = data[at + 1]
        if data[at] != 1 or data[at + 2] or data[at + 3] != 1 or (kind != _OUT and kind != _ERR and kind != _END):
            check_header(data[at : at + 8])  # says what is wrong with it
        self._kind = kind
        self._length = data[at + 4] << 8 | data[at + 5]
        self._padding = data[at + 6]
        return self._kind

    def _tell_stderr(self) -> bool:
        text = b"".join(self._stderr)
        self._stderr = []
        return not text or self._on_stderr(text.rstrip(b"\r\n. ") or text[:1])

    def _take(self, text: bytes, parts: Parts) -> None:
        """A part of the body: no more of it than Content-Length says."""
        if self._promised >= 0 and text:
            self.left, self._promised = self._promised, -1
        left = self.left
        if left >= 0:
            if len(text) > left:
                self.excess = True
                self.done = True
                text = text[:left]
            self.left = left - len(text)
        if text:
            parts.append(text)

    def _read(self, data: bytes, parts: Parts) -> None:
        """Go through records; what ends in the middle of one goes on with the next call."""
        at = 0
        size = len(data)
        while True:
            if not self._kind:
                try:
                    if not self._begin(data, at):
                        self._waiting = data[at:]
                        return
                except HeadError as error:
                    error.part = b"".join(parts)
                    raise
                at += 8
                self._check_end(parts)
            if self._length:
                part = data[at : at + self._length]
                at += len(part)
                self._length -= len(part)
                if self._kind == _OUT:
                    self._take(part, parts)
                    if self.done:
                        return
                elif self._kind == _ERR:
                    self._stderr.append(part)
                if self._length:
                    return
            if self._stderr:
                self._tell_stderr()
            skipped = min(self._padding, size - at)
            at += skipped
            self._padding -= skipped
            if self._padding:
                return
            if self._kind == _END:
                self.done = True
                self.keepalive = self.keep and at == size
                return
            self._kind = 0

    def _check_end(self, parts: Sequence[bytes]) -> None:
        """At a record that ends the body: is all of it here?"""
        kind = self._kind
        if kind == _ERR or (kind == _OUT and self._length):
            return
        if self.left > 0:
            what = "stdout" if kind == _OUT else "request"
            raise _refused(f"upstream prematurely closed FastCGI {what}", b"".join(parts))
