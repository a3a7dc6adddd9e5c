"""HTTP/2 towards upstreams: `grpc_pass`, and `proxy_pass` with `proxy_http_version 2`; one stream at a time on each.

A connection's frames, windows and table of fields outlive a request: they are its `Link`. What reads an answer is the
Reader of one stream, and writes as well: the request with its body, as far as the peer's windows let it, and what the
protocol wants answered (SETTINGS, PING). To whoever reads the head it is one of HTTP/1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import Http2Error
from gateway._fast.http1_response import ResponseHead
from gateway._fast.http2_answer import answer_head, answer_trailers
from gateway._fast.http2_reader import (
    BLOCK_BEGINS,
    BLOCK_ENDS,
    DATA,
    GOAWAY,
    NOTHING,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from gateway.core.piece_queue import new_queue
from gateway.http.body import read_body_part
from gateway.http.module import Count
from gateway.protocol import http2_frames as wire
from gateway.protocol.cgi import Number, Reader
from gateway.upstream.exchange.http2_fields import Fields, refused
from gateway.upstream.exchange.http2_link import MOST_CONTROL_FRAMES, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.pieces import Piece
    from gateway.http.request import Request
    from gateway.upstream.exchange.keepalive import PeerConnection

_EARLY_HINTS: Final = 103
_WITHOUT_BODY: Final = frozenset({204, 304})
# As much as this of a body is written before the socket has to take some of it.
_ENOUGH: Final = 65536

# All that a stream may do in a turn, and more.
_TURN: Final = 1 << 30

_DATA: Final = wire.DATA
_END_STREAM: Final = wire.END_STREAM
_MAX_WINDOW: Final = wire.MAX_WINDOW


class Http2Reader(Reader):
    """One stream: the request on its way out, and the answer. Compiled with the types of http2.pxd."""

    def __init__(self, head_only: bool = False, on_hints: Callable[[ResponseHead], object] | None = None) -> None:
        """`head_only`: the request was HEAD. `on_hints` is told of 103. `sizes_none`: see answer_head."""
        self.start(head_only, on_hints)

    def start(self, head_only: bool, on_hints: Callable[[ResponseHead], object] | None) -> None:
        """What __init__ does, as a call of C's."""
        self.done = self.excess = self.keepalive = False
        self.head_only = head_only
        self.on_hints = on_hints
        self.sizes_none = True
        self.link: Link = None  # type: ignore[assignment]  # until begin()
        self.stream: Any = None
        self.id = 0
        # the request
        self.queue = new_queue()
        self.last = False  # it has all that is left
        self.closed = False  # our side's end was written
        self.send_window = 0
        self.alone = False  # the head waits for the first of the body
        # the answer
        self.recv_window = _MAX_WINDOW
        self.head_done = False
        self.over = False  # the peer's side is closed
        self.reset = False
        self.left = -1
        self.trailers: Fields = []

    # -- the request ---------------------------------------------------------------------------------------------

    def begin(self, connection: PeerConnection, block: bytes, pieces: list[Piece] | None) -> None:
        """Put the request on the connection; `pieces`: its body, None if that is sent as it comes.

        Then the head waits for pass_on(), which follows: most clients send the first of the body with their own head,
        so that it is here in the next turn at the latest, and both go out in one packet.
        """
        link = connection.link
        if link is None:
            carrier = connection.carrier
            link = connection.link = Link() if carrier is None else Link(carrier.initial_window)
        self.link = link
        link.control_frames = 0  # a flood is one of a request: a kept connection may hear a few with each
        self.stream = connection.stream
        self.id = link.last_id = link.last_id + 2
        self.send_window = link.initial_window
        if pieces is not None:
            for piece in pieces:
                self.queue.add(piece)
            self.last = True
        ends = self.last and not self.queue.size
        link.out.headers(self.id, block, _END_STREAM if ends else 0, link.frame_size)
        self.closed = ends
        if pieces is None:
            self.alone = True
        else:
            self.write()

    def add(self, parts: list[Any], last: bool) -> None:
        """More of the body has come from the client."""
        for part in parts:
            self.queue.add(part)
        self.last = last

    def is_blocked(self) -> bool:
        """Whether the peer's windows hold back what is here of the body."""
        return self.queue.size > 0 and (self.send_window <= 0 or self.link.send_window <= 0)

    def pass_on(self, request: Request, streaming: bool) -> bool:
        """Send on what has come of the client's body, as far as the windows let it; whether something had come.

        When all of it is written, `closed` says so. Errors: BodyError, OSError of a file.
        """
        body = request.body
        if not streaming or body is None:
            self.write()
            return False
        if self.link.out.waiting():
            read_body_part(request, 1)
            if self.alone and not body.memory and not body.complete:
                self.alone = False
                if self.stream.spend(_TURN):
                    return False
        took = False
        room = request.location.core.client_body_buffer_size
        while True:
            if not self.last and self.queue.size < room:
                parts = body.give()
                self.add(parts, body.complete)
                if parts:
                    took = True
            self.write()
            if self.closed or self.last or self.queue.size >= room or self.stream.pending >= room:
                return took
            read_body_part(request, 1)
            if not body.memory and not body.complete:
                return took

    def write(self) -> None:
        """Write what may be written, and send it. Errors: OSError of a file."""
        out = self.link.out
        stream = self.stream
        while True:
            self._fill()
            size = out.waiting()
            if not size:
                return
            stream.send(out.take())
            # Where the socket took it all nothing else would call for the rest: we go on, or are called again.
            if self.closed or not self.queue.size or stream.pending or stream.spend(size):
                return

    def _fill(self) -> None:
        """Put frames together, as the windows and what waits already let it."""
        link = self.link
        out = link.out
        stream = self.stream
        queue = self.queue
        while not self.closed and stream.pending + out.waiting() < _ENOUGH:
            room = min(link.frame_size, self.send_window, link.send_window)
            if not queue.size:
                if self.last:
                    self.closed = True
                    out.frame(0, _DATA, _END_STREAM, self.id)
                return
            if room <= 0:
                return
            data = queue.take(room)
            if data is None:
                raise OSError(0, "a request's body became shorter while it was sent")
            size = len(data)
            self.send_window -= size
            link.send_window -= size
            self.closed = self.last and not queue.size
            out.frame(size, _DATA, _END_STREAM if self.closed else 0, self.id)
            out.put(data)

    # -- the answer ----------------------------------------------------------------------------------------------

    def head_received(self) -> Number:
        reader = self.link.reader
        return reader.size if self.head_done or reader.block_stream() else 0

    def preread(self) -> Number:
        return self.link.reader.unread()

    def get_trailers(self) -> Fields | None:
        return self.trailers

    def receive_head(self, data: bytes) -> ResponseHead | None:
        self.link.reader.feed(data)
        try:
            while True:
                event = self._next()
                if event == NOTHING:
                    return None
                if event == DATA:
                    raise refused("upstream sent unexpected http2 frame: 0")
                if event == BLOCK_ENDS:
                    head = self._head()
                    if head is not None:
                        self.head_done = True
                        return head
        finally:
            self.write()

    def _head(self) -> ResponseHead | None:
        """The head of the fields that were read; None for one that another follows."""
        head = answer_head(self.link.reader.decoder, self.over, self.sizes_none)
        if head.status != _EARLY_HINTS:
            return head
        if self.on_hints is not None:
            self.on_hints(head)
        return None

    def begin_body(self, method: bytes, status: Number, content_length: Number, chunked: bool, close: bool) -> bytes:
        if self.head_only or status in _WITHOUT_BODY:
            self.left = 0
        else:
            self.left = content_length
        return self._read()

    def receive_body(self, data: bytes) -> bytes:
        self.link.reader.feed(data)
        return self._read()

    def _read(self) -> bytes:
        """What is here of the body. Errors: HeadError; what came of the body with it is not passed on, as in nginx."""
        reader = self.link.reader
        parts: list[bytes] = []
        try:
            if self.over:
                self._check_end()
            while True:
                event = self._next()
                if event == NOTHING:
                    break
                if event == DATA:
                    if reader.length:
                        self._take_in(reader.part(), parts)
                    if self.over:
                        self._check_end()
                elif event == BLOCK_ENDS:
                    self._take_trailers()
        finally:
            self.write()
        self.done = self.over
        self.keepalive = self.over and not self.link.goaway and not reader.incomplete()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_in(self, part: bytes, parts: list[Any]) -> None:
        if self.left >= 0:
            if len(part) > self.left:
                raise refused("upstream sent response body larger than indicated content length")
            self.left -= len(part)
        parts.append(part)

    def _check_end(self) -> None:
        if self.left > 0:
            raise refused("upstream prematurely closed stream")

    def _take_trailers(self) -> None:
        self.trailers += answer_trailers(self.link.reader.decoder)
        if not self.over:
            raise refused("upstream sent trailer without end stream flag")
        self._check_end()

    @property
    def prompt(self) -> bool:
        """Frames have an end of their own: what is here is passed on, full buffer or not."""
        return self.left < 0

    def receive_end(self) -> bool:
        return self.done

    # -- frames --------------------------------------------------------------------------------------------------

    def _next(self) -> Count:
        """The next event that is the answer's: DATA, BLOCK_ENDS or NOTHING. Errors: HeadError."""
        link = self.link
        reader = link.reader
        while True:
            try:
                event = reader.next()
            except Http2Error as error:
                raise refused(str(error).replace("client sent", "upstream sent")) from None
            if event == NOTHING:
                return event
            stream = reader.stream
            if stream and stream != self.id:
                what = "data frame" if event == DATA else "frame"
                if event != GOAWAY:
                    raise refused(f"upstream sent {what} for unknown stream {stream}")
            if stream and self.over and event in (DATA, BLOCK_BEGINS):
                raise refused(f"upstream sent frame for closed stream {stream}")
            if event == DATA:
                self._count(reader.size)
                self.over = reader.ends
                return event
            if event == BLOCK_ENDS:
                self.over = reader.ends  # not before: the rest of it may be under way in CONTINUATION
                return event
            if event == WINDOW_UPDATE:
                self._widen(stream, reader.value)
            elif event == SETTINGS:
                self._settle()
            elif event == PING:
                self._control("ping")
                link.out.ping_ack(reader.part())
            elif event == RST_STREAM:
                self._reset(reader.value)
            elif event == GOAWAY:
                if stream < self.id:
                    raise refused(f"upstream sent goaway with error {reader.value}")
                link.goaway = True

    def _count(self, size: Count) -> None:
        """A DATA frame takes of the windows, which are made wide again in time."""
        link = self.link
        if size > self.recv_window:
            words = f"upstream violated stream flow control, received {size} data frame with window {self.recv_window}"
            raise refused(words)
        if size > link.recv_window:
            raise refused(
                f"upstream violated connection flow control, received {size} data frame with window {link.recv_window}"
            )
        self.recv_window -= size
        link.recv_window -= size
        if self.recv_window < _MAX_WINDOW // 4 or link.recv_window < _MAX_WINDOW // 4:
            link.out.window_update(0, _MAX_WINDOW - link.recv_window)
            link.out.window_update(self.id, _MAX_WINDOW - self.recv_window)
            self.recv_window = link.recv_window = _MAX_WINDOW

    def _widen(self, stream: Count, increment: Count) -> None:
        window = self.send_window if stream else self.link.send_window
        if increment > _MAX_WINDOW - window:
            raise refused("upstream sent too large window update")
        if stream:
            self.send_window += increment
        else:
            self.link.send_window += increment

    def _settle(self) -> None:
        link = self.link
        reader = link.reader
        self._control("settings")
        if reader.window >= 0:
            delta = reader.window - link.initial_window
            if self.send_window + delta > _MAX_WINDOW:
                raise refused(f"upstream sent settings frame with too large initial window size: {reader.window}")
            link.initial_window = reader.window
            self.send_window += delta
        link.out.settings_ack()

    def _control(self, what: str) -> None:
        self.link.control_frames += 1
        if self.link.control_frames > MOST_CONTROL_FRAMES:
            raise refused(f"upstream sent too many {what} frames")

    def _reset(self, code: Count) -> None:
        if code or not self.over:
            raise refused(f"upstream rejected request with error {code}")
        if self.reset:
            raise refused(f"upstream sent frame for closed stream {self.id}")
        self.reset = True


def new_reader(head_only: bool, on_hints: Callable[[ResponseHead], object] | None) -> Http2Reader:
    """Http2Reader(…), without what a call by name costs."""
    reader = Http2Reader.__new__(Http2Reader)
    reader.start(head_only, on_hints)
    return reader
