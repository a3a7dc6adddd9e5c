"""HTTP/1 requests as a server reads them: bytes to a head, its body and its end, by nginx's grammar.

    reader = RequestReader(limits, on_host)
    reader.receive_data(data)                   # b"" when the client has closed
    event = reader.next_event()                 # RequestHead, then Data …, then EndOfRequest; NEED_DATA in between

HeadLimits are nginx's: client_header_buffer_size, large_client_header_buffers, max_headers, ignore_invalid_headers,
underscores_in_headers, merge_slashes. What nginx refuses raises HeadError with nginx's status and the words of its
error log, at the byte where nginx sees it; nothing can be read after that. `on_host(hostname, head)` is called when the
server can be chosen and may return that server's limits. After EndOfRequest, `rest` is what was sent beyond the
request, for the next reader. The scanning itself is in `gateway._fast`, and the engine takes it from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.errors import HeadError
from gateway._fast.host import validate_host
from gateway._fast.http1 import RequestParser, parse_head
from gateway._fast.request_head import HeadLimits, RequestHead

if TYPE_CHECKING:
    from collections.abc import Callable

    OnHost = Callable[[bytes, RequestHead], HeadLimits | None]

__all__ = [
    "NEED_DATA",
    "ChunkedDecoder",
    "Data",
    "EndOfRequest",
    "HeadError",
    "HeadLimits",
    "NeedData",
    "RequestHead",
    "RequestParser",
    "RequestReader",
    "parse_head",
    "validate_host",
]


class NeedData(Enum):
    """The only value says that next_event() has nothing until more bytes come."""

    NEED_DATA = "need data"


NEED_DATA: Final = NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class Data:
    """A part of the body, however it was framed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfRequest:
    """The body is complete; trailers only where they are kept."""

    trailers: tuple[tuple[bytes, bytes], ...] = ()


class RequestReader:
    """One request; see the module for the contract."""

    def __init__(
        self, limits: HeadLimits | None = None, on_host: OnHost | None = None, *, max_body: int = 0,
        keep_trailers: bool = False,
    ) -> None:
        self._parser = RequestParser(limits, on_host)
        self._max_body = max_body
        self._keep_trailers = keep_trailers
        self._buffer = b""
        self._closed = False
        self._head: RequestHead | None = None
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self._slices: list[bytes] = []
        self._error: HeadError | None = None

    @property
    def rest(self) -> bytes:
        """What came after the request."""
        return self._buffer

    def receive_data(self, data: bytes) -> None:
        if not data:
            self._closed = True
        self._buffer += data

    def next_event(self) -> RequestHead | Data | EndOfRequest | NeedData:
        if self._error is not None:
            raise self._error
        try:
            return self._next_head() if self._head is None else self._next_body()
        except HeadError as error:
            self._error = error
            raise

    def _next_head(self) -> RequestHead | NeedData:
        data, self._buffer = self._buffer, b""
        head = self._parser.feed(data) if data else None
        if head is None:
            if self._closed:
                raise HeadError(400, "client prematurely closed connection", self._parser.head)
            return NEED_DATA
        self._head = head
        self._buffer = head.data[head.end :]
        if head.chunked:
            self._decoder = ChunkedDecoder(max_size=self._max_body, keep_trailers=self._keep_trailers)
        else:
            self._left = max(head.content_length, 0)
            if self._max_body and self._left > self._max_body:
                message = f"client intended to send too large body: {self._left} bytes"
                raise HeadError(413, message, head, level="error")
        return head

    def _next_body(self) -> Data | EndOfRequest | NeedData:
        if self._slices:
            return Data(self._slices.pop(0))
        decoder = self._decoder
        if decoder is not None and not decoder.done and self._buffer:
            data, self._buffer = self._buffer, b""
            self._slices, _, self._buffer = decoder.feed(data)
            return self._next_body()
        if self._left and self._buffer:
            part, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
            self._left -= len(part)
            return Data(part)
        if self._left or (decoder is not None and not decoder.done):
            if self._closed:
                raise HeadError(400, "client prematurely closed connection", self._head)
            return NEED_DATA
        return EndOfRequest(tuple(decoder.trailers) if decoder is not None else ())
