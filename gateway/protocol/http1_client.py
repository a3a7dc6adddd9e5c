"""HTTP/1.x towards an upstream: the request's head from parts, and what reads the answer (RFC 9112)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway import PURE
from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.cut import rest as behind
from gateway._fast.errors import HeadError
from gateway._fast.http1_response import ResponseHead
from gateway.protocol.cgi import Number, PlainReader

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead

# Interim answers (RFC 9110, 15.2): another one follows. 101 is final here: the connection changes its protocol.
_INTERIM: Final = frozenset({100, 102, 103})
_EARLY_HINTS: Final = 103


CHUNKED: Final = -2  # as a length: nobody knows it yet


def render_request(method: bytes, target: bytes, minor: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Request line, header fields, and the empty line."""
    parts = [b"%b %b HTTP/1.%d\r\n" % (method, target, minor)]
    for name, value in fields:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


class PlainRequestEncoder:
    """Makes the heads of one location: its own fields, the framing, then the client's fields but the hidden ones."""

    def __init__(
        self,
        minor: int,
        own: Sequence[tuple[bytes, bytes | Callable[[Any], bytes | None]]],
        hidden: Iterable[bytes],
        *,
        pass_headers: bool = True,
    ) -> None:
        """`own` are names with values, or what gives them for a request; one that is empty is left out."""
        self.minor = minor
        self.own = tuple(own)
        self.hidden = frozenset(hidden)
        self.pass_headers = pass_headers

    def encode(self, request: Any, head: RequestHead, method: bytes, target: bytes, length: int, body: bytes) -> bytes:
        """`length` is Content-Length, -1 for none, CHUNKED; `body` stands behind the head."""
        fields: list[tuple[bytes, bytes]] = []
        for name, value in self.own:
            text = value if isinstance(value, bytes) else value(request)
            if text:
                fields.append((name, text))
        if length == CHUNKED:
            fields.append((b"Transfer-Encoding", b"chunked"))
        elif length >= 0:
            fields.append((b"Content-Length", b"%d" % length))
        if self.pass_headers:
            fields += [field for field in head.fields() if field[0].lower() not in self.hidden]
        return render_request(method, target, self.minor, fields) + body


def chunk(data: bytes) -> bytes:
    """One chunk of a body; of no data the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ResponseReader(PlainReader):
    """Reads one answer: interim heads are skipped, the body ends by its own framing where it has one."""

    def __init__(self, head_only: bool = False, on_hints: Callable[[ResponseHead], object] | None = None) -> None:
        """`head_only`: the request was HEAD, so no body follows whatever the fields say. `on_hints` is told of 103."""
        self.begin(head_only, on_hints)

    def begin(self, head_only: bool, on_hints: Callable[[ResponseHead], object] | None) -> None:
        """What __init__ does, as a call of C's: see new_reader()."""
        self.start("http")
        self.head_only = head_only
        self.on_hints = on_hints
        self.decoder: ChunkedDecoder | None = None
        self.version = 10

    def get_trailers(self) -> list[tuple[bytes, bytes]] | None:
        return self.decoder.trailers if self.decoder is not None else None

    def receive_head(self, data: bytes) -> ResponseHead | None:
        while True:
            head = PlainReader.receive_head(self, data)
            if head is None:
                return None
            if head.status > 103 or head.status not in _INTERIM:
                self.version = head.version
                return head
            if head.status == _EARLY_HINTS:
                if head.version < 11:
                    raise HeadError(502, "upstream sent HTTP/1.0 response with early hints", level="error")
                if self.on_hints is not None:
                    self.on_hints(head)
            data = self.buffer[self.size :]
            self.buffer = b""
            self.size = 0

    def begin_body(self, method: bytes, status: Number, content_length: Number, chunked: bool, close: bool) -> bytes:
        rest = behind(self.buffer, self.size) if len(self.buffer) > self.size else b""
        self.buffer = b""
        if self.head_only or status == 204 or status == 304:
            self.left = 0
        elif chunked:
            self.decoder = ChunkedDecoder(keep_trailers=True, upstream=True)
        elif status != 101:
            self.left = content_length
        self.keepalive = self.version >= 11 and not close and (self.decoder is not None or self.left >= 0)
        if self.left == 0:
            self.done = True
        return self.receive_body(rest) if rest else b""

    def receive_body(self, data: bytes) -> bytes:
        """Errors: HeadError for what is no chunked body."""
        decoder = self.decoder
        if decoder is None:
            part = PlainReader.receive_body(self, data)
        elif self.done:
            self.excess = True
            part = b""
        else:
            slices, self.done, rest = decoder.feed(data)
            part = slices[0] if len(slices) == 1 else b"".join(slices)
            if rest:
                self.excess = True
        if self.excess:
            self.keepalive = False
        return part

    @property
    def prompt(self) -> bool:
        """The body comes in chunks: what is here is passed on, full buffer or not."""
        return self.decoder is not None

    @property
    def excess_words(self) -> bytes | None:
        """What the log says of `excess`, None for the usual."""
        if self.decoder is None:
            return None
        return b"upstream sent data after " + (b"trailers" if self.decoder.trailers else b"final chunk")

    def receive_end(self) -> bool:
        return self.done or (self.decoder is None and self.left <= 0)


def new_reader(head_only: bool, on_hints: Callable[[ResponseHead], object] | None) -> ResponseReader:
    """ResponseReader(…), without what a call by name costs."""
    reader = ResponseReader.__new__(ResponseReader)
    reader.begin(head_only, on_hints)
    return reader


if TYPE_CHECKING or PURE:
    RequestEncoder = PlainRequestEncoder
else:
    from gateway._fast.http1_request import RequestEncoder

__all__ = [
    "CHUNKED",
    "PlainRequestEncoder",
    "RequestEncoder",
    "ResponseReader",
    "chunk",
    "new_reader",
    "render_request",
]
