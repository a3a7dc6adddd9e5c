"""The answer of a CGI-like server (uwsgi, SCGI): an optional status line, header fields, and a body.

The body ends where Content-Length says, or with the connection; there is no other framing and no next answer.
"""

from __future__ import annotations

from gateway._fast.cut import rest as behind
from gateway._fast.http1_response import ResponseHead, parse_response_head

# A number of C's, see cgi.pxd.
Number = int


class Reader:
    """What reads one answer: `receive_head` until it gives the head, `begin_body`, then `receive_body` until `done`.

    Errors: HeadError where nginx refuses what came. Compiled with the types of cgi.pxd, so that an exchange reaches
    it without a look-up.
    """

    def __init__(self) -> None:
        self.done = False  # the whole answer is here
        self.excess = False  # more came than there should be
        self.keepalive = False  # the connection may serve another request

    def head_received(self) -> Number:
        """How much came before the head was whole; `*_buffer_size` limits it."""
        raise NotImplementedError

    def preread(self) -> Number:
        """How much came with the head that is not the head: $upstream_response_length begins with it."""
        raise NotImplementedError

    def receive_head(self, data: bytes) -> ResponseHead | None:
        raise NotImplementedError

    def begin_body(self, method: bytes, status: Number, content_length: Number, chunked: bool, close: bool) -> bytes:
        """The part of the body that came with the head."""
        raise NotImplementedError

    def receive_body(self, data: bytes) -> bytes:
        raise NotImplementedError

    def receive_end(self) -> bool:
        """The peer closed; whether the body is whole."""
        raise NotImplementedError

    def get_trailers(self) -> list[tuple[bytes, bytes]] | None:
        """The fields behind the body, None where the protocol has none."""
        return None

    @property
    def prompt(self) -> bool:
        """The body comes in parts with an end of their own: what is here is passed on, full buffer or not."""
        return False

    @property
    def excess_words(self) -> bytes | None:
        """What the log says of `excess`, None for the usual."""
        return None


class PlainReader(Reader):
    """A head without transfer framing behind it. `form` is parse_response_head's."""

    def __init__(self, form: str) -> None:
        self.start(form)

    def start(self, form: str) -> None:
        """What __init__ does, as a call of C's: two more by name would be a tenth of reading an answer."""
        self.done = self.excess = self.keepalive = False
        self.form = form
        self.buffer = b""
        self.size = 0  # of the head
        self.left = -1  # of the body, -1: until the end of the connection

    def head_received(self) -> Number:
        return self.size or len(self.buffer)

    def preread(self) -> Number:
        return len(self.buffer) - self.size

    def receive_head(self, data: bytes) -> ResponseHead | None:
        buffer = self.buffer = self.buffer + data if self.buffer else data
        head = parse_response_head(buffer, 0, self.form)  # type: ignore[arg-type]
        if head is not None:
            self.size = head.size
        return head

    def begin_body(self, method: bytes, status: Number, content_length: Number, chunked: bool, close: bool) -> bytes:
        if status in (204, 304):
            self.left = 0
        elif method != b"HEAD":
            self.left = content_length
        if self.left == 0:
            self.done = True
        rest = behind(self.buffer, self.size) if len(self.buffer) > self.size else b""
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
