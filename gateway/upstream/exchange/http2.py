"""HTTP/2 towards upstreams: `grpc_pass`, and `proxy_pass` with `proxy_http_version 2`; one stream at a time on each.

A connection's frames, windows and table of fields outlive a request: they are its `Link`. What reads an answer is the
Reader of one stream, and writes as well: the request with its body, as far as the peer's windows let it, and what the
protocol wants answered (SETTINGS, PING). To whoever reads the head it is one of HTTP/1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError, Http2Error
from gateway._fast.hpack import Decoder
from gateway._fast.http1_response import ResponseHead, parse_response_head
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
    FrameReader,
)
from gateway._fast.http2_writer import FieldWriter, FrameWriter
from gateway.core.pieces import Piece, length
from gateway.http.body import read_body_part
from gateway.protocol import http2_frames as wire
from gateway.protocol.cgi import Number, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.upstream.exchange.keepalive import PeerConnection
    from gateway.upstream.exchange.peer_try import PeerTry

Fields = list[tuple[bytes, bytes]]

_EARLY_HINTS: Final = 103
_WITHOUT_BODY: Final = frozenset({204, 304})
# Of an answer's head: what nginx's buffer for one may be at most, its decoded text.
_HEAD_LIMIT: Final = 1 << 20
# What is answered again and again is no conversation.
_MOST_CONTROL_FRAMES: Final = 1000
# As much as this of a body is written before the socket has to take some of it.
_ENOUGH: Final = 65536

_OUT: Final = FieldWriter()
_METHODS: Final = {b"GET": 2, b"POST": 3}


def request_block(
    method: bytes, secure: bool, target: bytes, authority: bytes, fields: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The fields of a request."""
    _OUT.begin()
    known = _METHODS.get(method)
    if known is not None:
        _OUT.indexed(known)
    else:
        _OUT.known(2, method)
    _OUT.indexed(7 if secure else 6)
    if target == b"/":
        _OUT.indexed(4)
    else:
        _OUT.known(4, target)
    _OUT.known(1, authority)
    for name, value in fields:
        _OUT.field(name, value)
    return _OUT.end()


class Link:
    """What both ends of a connection know of each other."""

    __slots__ = (
        "control_frames",
        "frame_size",
        "goaway",
        "initial_window",
        "last_id",
        "out",
        "reader",
        "recv_window",
        "send_window",
    )

    def __init__(self) -> None:
        self.reader = FrameReader(Decoder(_HEAD_LIMIT, _HEAD_LIMIT, 0), True)
        self.out = FrameWriter()
        self.send_window = wire.DEFAULT_WINDOW
        self.initial_window = wire.DEFAULT_WINDOW
        self.frame_size = wire.DEFAULT_FRAME_SIZE
        self.recv_window = wire.MAX_WINDOW
        self.last_id = -1
        self.control_frames = 0
        self.goaway = False
        # The peer sends as fast as we read: its socket, not its windows, tells it how fast that is.
        self.out.put(wire.PREFACE)
        self.out.put(
            wire.settings(
                ((wire.HEADER_TABLE_SIZE, 0), (wire.ENABLE_PUSH, 0), (wire.INITIAL_WINDOW_SIZE, wire.MAX_WINDOW))
            )
        )
        self.out.window_update(0, wire.MAX_WINDOW - wire.DEFAULT_WINDOW)


    def hears(self, data: bytes, stream: Any) -> bool:
        """What came while no request is under way; whether the connection is good for another one."""
        reader = self.reader
        reader.feed(data)
        try:
            while True:
                event = reader.next()
                if event == NOTHING:
                    break
                if event in (DATA, BLOCK_BEGINS, GOAWAY):
                    return False
                if event == WINDOW_UPDATE and not reader.stream:
                    self.send_window += reader.value
                elif event == SETTINGS:
                    self.control_frames += 1
                    self.initial_window = reader.window if reader.window >= 0 else self.initial_window
                    self.out.settings_ack()
                elif event == PING:
                    self.control_frames += 1
                    self.out.ping_ack(reader.part())
        except Http2Error:
            return False
        if self.out.waiting():
            stream.send(self.out.take())
        return self.send_window <= wire.MAX_WINDOW and self.control_frames <= _MOST_CONTROL_FRAMES


class Http2Reader(Reader):
    """One stream: the request on its way out, and the answer."""

    def __init__(
        self, *, head_only: bool = False, on_hints: Callable[[ResponseHead], object] | None = None
    ) -> None:
        """`head_only`: the request was HEAD. `on_hints` is told of 103."""
        Reader.__init__(self)
        self.head_only = head_only
        self.on_hints = on_hints
        self.link: Link = None  # type: ignore[assignment]  # until begin()
        self.stream: Any = None
        self.id = 0
        # the request
        self.pieces: list[Piece] = []
        self.offset = 0  # what is sent of the first one
        self.waiting = 0  # bytes in them
        self.last = False  # they are all that is left
        self.closed = False  # our side's end was written
        self.send_window = 0
        # the answer
        self.recv_window = wire.MAX_WINDOW
        self.head_done = False
        self.over = False  # the peer's side is closed
        self.reset = False
        self.left = -1
        self.trailers: Fields = []

    # -- the request ---------------------------------------------------------------------------------------------

    def begin(self, connection: PeerConnection, block: bytes, pieces: list[Piece] | None) -> None:
        """Put the request on the connection; `pieces`: its body, None if that is sent as it comes."""
        link = connection.link
        if link is None:
            link = connection.link = Link()
        self.link = link
        self.stream = connection.stream
        self.id = link.last_id = link.last_id + 2
        self.send_window = link.initial_window
        if pieces is not None:
            self.pieces = list(pieces)
            self.waiting = sum(length(piece) for piece in pieces)
            self.last = True
        ends = self.last and not self.waiting
        link.out.headers(self.id, block, wire.END_STREAM if ends else 0, link.frame_size)
        self.closed = ends
        self.write()

    def add(self, parts: list[bytes], last: bool) -> None:
        """More of the body has come from the client."""
        for part in parts:
            if part:
                self.pieces.append(part)
                self.waiting += len(part)
        self.last = last

    @property
    def blocked(self) -> bool:
        """Whether the peer's windows hold back what is here of the body."""
        return self.waiting > 0 and (self.send_window <= 0 or self.link.send_window <= 0)

    def write(self) -> None:
        """Write what may be written, and send it. Errors: OSError of a file."""
        link = self.link
        out = link.out
        stream = self.stream
        while not self.closed and stream.pending + out.waiting() < _ENOUGH:
            room = min(link.frame_size, self.send_window, link.send_window)
            if not self.waiting:
                if self.last:
                    self.closed = True
                    out.frame(0, wire.DATA, wire.END_STREAM, self.id)
                break
            if room <= 0:
                break
            data = self._take(room)
            while self.waiting and len(data) < room:
                data += self._take(room - len(data))
            size = len(data)
            self.send_window -= size
            link.send_window -= size
            self.closed = self.last and not self.waiting
            out.frame(size, wire.DATA, wire.END_STREAM if self.closed else 0, self.id)
            out.put(data)
        if out.waiting():
            stream.send(out.take())

    def _take(self, room: int) -> bytes:
        piece = self.pieces[0]
        whole = length(piece)
        size = min(room, whole - self.offset)
        if isinstance(piece, bytes):
            data = piece[self.offset : self.offset + size]
        else:
            data = piece.read(self.offset, size)
            if not data:
                raise OSError(0, "a request's body became shorter while it was sent")
        self.offset += len(data)
        self.waiting -= len(data)
        if self.offset == whole:
            del self.pieces[0]
            self.offset = 0
        return data

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
                    raise _refused("upstream sent unexpected http2 frame: 0")
                if event == BLOCK_ENDS:
                    head = self._head()
                    if head is not None:
                        self.head_done = True
                        return head
        finally:
            self.write()

    def _head(self) -> ResponseHead | None:
        """The head of the fields that were read; None for one that another follows."""
        reader = self.link.reader
        status = 0
        lines: list[bytes] = []
        sized = False
        for name, value in reader.decoder.fields():
            if name[:1] == b":":
                if name != b":status":
                    raise _refused(f'upstream sent invalid header "{_text(name)}: {_text(value)}"')
                if status:
                    raise _refused("upstream sent duplicate :status header")
                if len(value) != 3 or not value.isdigit():
                    raise _refused(f'upstream sent invalid :status "{_text(value)}"')
                status = int(value)
                if status < 200 and status != _EARLY_HINTS:
                    raise _refused(f'upstream sent unexpected :status "{_text(value)}"')
                lines.append(b"HTTP/1.1 %b\r\n" % value)
                continue
            if not status:
                raise _refused("upstream sent no :status header")
            _check(name, value)
            if name == b"content-length":
                sized = True
            lines.append(b"%b: %b\r\n" % (name, value))
        if not status:
            raise _refused("upstream sent no :status header")
        if self.over and status == _EARLY_HINTS:
            raise _refused("upstream prematurely closed stream")
        if self.over and not sized:
            lines.append(b"content-length: 0\r\n")
        head = parse_response_head(b"".join(lines) + b"\r\n", 0, "http")
        if head is None:
            raise _refused("upstream sent invalid header")
        if status != _EARLY_HINTS:
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

    def _take_in(self, part: bytes, parts: list[bytes]) -> None:
        if self.left >= 0:
            if len(part) > self.left:
                raise _refused("upstream sent response body larger than indicated content length")
            self.left -= len(part)
        parts.append(part)

    def _check_end(self) -> None:
        if self.left > 0:
            raise _refused("upstream prematurely closed stream")

    def _take_trailers(self) -> None:
        for name, value in self.link.reader.decoder.fields():
            if name[:1] == b":":
                raise _refused(f'upstream sent invalid trailer "{_text(name)}: {_text(value)}"')
            _check(name, value)
            self.trailers.append((name, value))
        if not self.over:
            raise _refused("upstream sent trailer without end stream flag")
        self._check_end()

    @property
    def prompt(self) -> bool:
        """Frames have an end of their own: what is here is passed on, full buffer or not."""
        return self.left < 0

    def receive_end(self) -> bool:
        return self.done

    # -- frames --------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        """The next event that is the answer's: DATA, BLOCK_ENDS or NOTHING. Errors: HeadError."""
        link = self.link
        reader = link.reader
        while True:
            try:
                event = reader.next()
            except Http2Error as error:
                raise _refused(str(error).replace("client sent", "upstream sent")) from None
            if event == NOTHING:
                return event
            stream = reader.stream
            if stream and stream != self.id:
                what = "data frame" if event == DATA else "frame"
                if event != GOAWAY:
                    raise _refused(f"upstream sent {what} for unknown stream {stream}")
            if stream and self.over and event in (DATA, BLOCK_BEGINS):
                raise _refused(f"upstream sent frame for closed stream {stream}")
            if event == DATA:
                self._count(reader.size)
                self.over = reader.ends
                return event
            if event == BLOCK_BEGINS:
                self.over = reader.ends
            elif event == BLOCK_ENDS:
                return event
            elif event == WINDOW_UPDATE:
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
                    raise _refused(f"upstream sent goaway with error {reader.value}")
                link.goaway = True

    def _count(self, size: int) -> None:
        """A DATA frame takes of the windows, which are made wide again in time."""
        link = self.link
        if size > self.recv_window:
            words = f"upstream violated stream flow control, received {size} data frame with window {self.recv_window}"
            raise _refused(words)
        if size > link.recv_window:
            raise _refused(
                f"upstream violated connection flow control, received {size} data frame with window {link.recv_window}"
            )
        self.recv_window -= size
        link.recv_window -= size
        if self.recv_window < wire.MAX_WINDOW // 4 or link.recv_window < wire.MAX_WINDOW // 4:
            link.out.window_update(0, wire.MAX_WINDOW - link.recv_window)
            link.out.window_update(self.id, wire.MAX_WINDOW - self.recv_window)
            self.recv_window = link.recv_window = wire.MAX_WINDOW

    def _widen(self, stream: int, increment: int) -> None:
        window = self.send_window if stream else self.link.send_window
        if increment > wire.MAX_WINDOW - window:
            raise _refused("upstream sent too large window update")
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
            if self.send_window + delta > wire.MAX_WINDOW:
                raise _refused(f"upstream sent settings frame with too large initial window size: {reader.window}")
            link.initial_window = reader.window
            self.send_window += delta
        link.out.settings_ack()

    def _control(self, what: str) -> None:
        self.link.control_frames += 1
        if self.link.control_frames > _MOST_CONTROL_FRAMES:
            raise _refused(f"upstream sent too many {what} frames")

    def _reset(self, code: int) -> None:
        if code or not self.over:
            raise _refused(f"upstream rejected request with error {code}")
        if self.reset:
            raise _refused(f"upstream sent frame for closed stream {self.id}")
        self.reset = True


def pass_on(asking: PeerTry, reader: Http2Reader) -> bool:
    """Send on what has come of the client's body, as far as the peer's windows let it; whether something had come."""
    request = asking.request
    body = request.body
    if not asking.streaming or body is None:
        reader.write()
        asking.body_sent = reader.closed
        return False
    took = False
    room = request.location.core.client_body_buffer_size
    while True:
        if not reader.last and reader.waiting < room:
            parts = body.give()
            reader.add(parts, body.complete)
            took = took or bool(parts)
        reader.write()
        if reader.closed:
            asking.body_sent = True
            return took
        if reader.last or reader.waiting >= room or reader.stream.pending >= room:
            return took
        read_body_part(request, 1)
        if not body.memory and not body.complete:
            return took


def _refused(message: str) -> HeadError:
    return HeadError(502, message, level="error")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _check(name: bytes, value: bytes) -> None:
    """What nginx calls an invalid header. Errors: HeadError."""
    for c in name:
        if c <= 0x20 or c == 0x7F or c == 0x3A or 0x41 <= c <= 0x5A:
            raise _refused(f'upstream sent invalid header: "{_text(name)}: {_text(value)}"')
    if not name or b"\0" in value or b"\r" in value or b"\n" in value:
        raise _refused(f'upstream sent invalid header: "{_text(name)}: {_text(value)}"')
