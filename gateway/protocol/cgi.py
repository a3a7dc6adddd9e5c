"""The answer of a CGI-like server (uwsgi, SCGI): an optional status line, header fields, and a body.

The body ends where Content-Length says, or with the connection; there is no other framing and no next answer.
"""

from __future__ import annotations

from typing import Protocol

from gateway._fast.http1_response import ResponseHead, parse_response_head


class Reader(Protocol):
    """What reads one answer: `receive_head` until it gives the head, `begin_body`, then `receive_body` until `done`.

    Errors: HeadError where nginx refuses what came.
    """

    done: bool  # the whole answer is here
    excess: bool  # more came than there should be
    keepalive: bool  # the connection may serve another request

    @property
    def head_received(self) -> int:
        """How much came before the head was whole; `*_buffer_size` limits it."""

    @property
    def preread(self) -> int:
        """How much came with the head that is not the head: $upstream_response_length begins with it."""

    def receive_head(self, data: bytes) -> ResponseHead | None: ...

    def begin_body(self, method: bytes, status: int, content_length: int, *, chunked: bool, close: bool) -> bytes:
        """The part of the body that came with the head."""

    def receive_body(self, data: bytes) -> bytes: ...

    def receive_end(self) -> bool:
        """The peer closed; whether the body is whole."""


class PlainReader:
    """A head without transfer framing behind it. `form` is parse_response_head's."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.buffer = b""
        self.size = 0  # of the head
        self.left = -1  # of the body, -1: until the end of the connection
        self.done = False
        self.excess = False
        self.keepalive = False

    @property
    def head_received(self) -> int:
        return self.size or len(self.buffer)

    @property
    def preread(self) -> int:
        return len(self.buffer) - self.size

    def receive_head(self, data: bytes) -> ResponseHead | None:
        buffer = self.buffer = self.buffer + data if self.buffer else data
        head = parse_response_head(buffer, 0, self.form)  # type: ignore[arg-type]
        if head is not None:
            self.size = head.size
        return head

    def begin_body(self, method: bytes, status: int, content_length: int, *, chunked: bool, close: bool) -> bytes:
        if status in (204, 304):
            self.left = 0
        elif method != b"HEAD":
            self.left = content_length
        if self.left == 0:
            self.done = True
        rest = self.buffer[self.size :]
        self.buffer = b""
        return self.receive_body(rest) if rest else b""

    def receive_body(self, data: bytes) -> bytes:
        left = self.left
        if left < 0:
            return data
        if len(data) > left:
            self.excess = True
            data = data[:left]
        self.left = left - len(data)
        if not self.left:
            self.done = True
        return data

    def receive_end(self) -> bool:
        return self.left <= 0
