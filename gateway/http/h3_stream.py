"""One request of an HTTP/3 connection: what comes on its stream, and the output that goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError, Http2Error
from gateway._fast.hpack import Decoder
from gateway._fast.http2_head import Http2Head
from gateway._fast.request_head import RequestHead
from gateway.http.h2_head import decide_end
from gateway.http.h3_head import TOO_LARGE, literals, others, response_fields
from gateway.http.request_stream import RequestStream
from gateway.protocol.http3_frames import (
    DATA,
    EXCESSIVE_LOAD,
    FORBIDDEN,
    FRAME_UNEXPECTED,
    GENERAL_PROTOCOL_ERROR,
    HEADERS,
    INTERNAL_ERROR,
    NO_ERROR,
    REQUEST_CANCELLED,
    REQUEST_INCOMPLETE,
    Http3Error,
    read_varint,
    varint,
)

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.h3_connection import Http3Connection
    from gateway.http.h3_head import Fields
    from gateway.http.request import Request
    from gateway.http.servers import AddressServers, Server

# What may wait in QUIC for the client's acknowledgement before the response has to wait itself.
_ENOUGH: Final = 64 * 1024
_CHUNK: Final = 16 * 1024


class Http3Stream(RequestStream):
    http3_name = b"h3"  # $http3
    version = 30

    def __init__(self, connection: Http3Connection, number: int) -> None:
        RequestStream.__init__(self, connection, number)
        self.requests = number // 4 + 1
        self.http3 = connection
        self.timer: Any = None  # of the head that is to come, then of a client that takes nothing
        self.paused: Any = None  # the timer of a rate
        # what comes
        self.buffer = bytearray()
        self.left = 0  # of the DATA frame, or of one to skip
        self.skipping = False
        self.headed = False  # a head came: there is a request, or was
        self.blocked = 0  # the size of a head that waits for QPACK's table
        self.preread = -1  # the size of a body that came with the head; else -1
        self.fin = False  # the last byte came; in_closed: and all of it was looked at
        self.unread = 0
        self.wait_for(self.server.header_timeout)

    # -- what comes ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, ended: bool) -> None:
        """Bytes of the stream came. Errors: Http3Error."""
        self.buffer += data
        if ended:
            self.fin = True
        if not self.blocked:
            self._frames()

    def _frames(self) -> None:
        buffer = self.buffer
        had = len(self.input)
        limits = self.server.limits
        while True:
            if self.left:
                part = bytes(buffer[: self.left])
                if not part:
                    break
                del buffer[: len(part)]
                self.left -= len(part)
                if self.skipping or self.skip_data:
                    self.http3.consumed(self.id, len(part))
                else:
                    self.input.append(part)
                    self.unread += len(part)
                continue
            kind = read_varint(buffer, 0)
            size = read_varint(buffer, kind[1]) if kind is not None else None
            if kind is None or size is None:
                break
            if kind[0] in FORBIDDEN or (kind[0] == DATA and not self.headed):
                raise Http3Error(FRAME_UNEXPECTED, "unexpected frame")
            if kind[0] == HEADERS and not self.headed:
                if size[0] > limits.large_buffers * limits.large_buffer_size:
                    raise Http3Error(EXCESSIVE_LOAD, "client sent too large header")
                if len(buffer) - size[1] < size[0]:
                    # it is kept here, where the limit above holds, and not in the stream's window
                    self.http3.widen(self.id, size[0] + size[1])
                    break
                block = bytes(buffer[size[1] : size[1] + size[0]])
                del buffer[: size[1] + size[0]]
                self.http3.consumed(self.id, size[1] + size[0])
                self._head(self.http3.decode(self, block), size[1] + size[0])
                if self.blocked:
                    return
                continue
            del buffer[: size[1]]
            self.http3.consumed(self.id, size[1])
            self.left = size[0]
            self.skipping = kind[0] != DATA
        if self.fin:
            self.in_closed = True
        if self.in_closed and not self.headed and not self.lost:
            self.http3.log("client prematurely closed stream")
            self.reset(REQUEST_INCOMPLETE)
            self._gone()
        elif len(self.input) > had or self.in_closed:
            self.tell()

    def unblocked(self, fields: Fields) -> None:
        """What the head refers to is in QPACK's table now."""
        size, self.blocked = self.blocked, 0
        self._head(fields, size)
        self._frames()

    def _head(self, fields: Fields | None, size: int) -> None:
        if fields is None:
            self.blocked = size
            return
        self.headed = True
        if self.fin and size + len(self.buffer) <= self.server.limits.header_buffer_size:
            self.preread = len(self.buffer)  # with its frames' heads: nginx has all of it in one buffer
        self.wait_for(0.0)
        servers: AddressServers = self.listening.servers_for(self)
        default = self.server
        limits = default.limits
        reading = Http2Head(limits, size, None if servers.single else servers.limits_of, 30)
        ended = self.in_closed = self.fin and not self.buffer
        try:
            most = limits.large_buffers * limits.large_buffer_size
            decoder = Decoder(most, most, 0)
            try:
                if fields is TOO_LARGE:
                    raise HeadError(494, "client sent too large header")
                decoder.decode(literals(fields))
            except Http2Error as error:
                raise HeadError(494 if error.code == 11 else 400, str(error)) from None
            reading.read(decoder)
            server: Server = reading.head.server or default
            if server.http3 is None or not server.http3.enabled:
                raise HeadError(421, "client attempted to request the server name for which HTTP/3 is disabled")
            head = reading.finish(ended)
        except HeadError as error:
            self._refuse(reading.head, default, 30, error)
            return
        request = self._make_request(head, server)
        if head.notes is not None:
            self.fields_ignored(request, head.notes)
        self.head_read(request, head, servers)
        tls = server.tls
        if tls is not None and tls.verify:
            from gateway.http.server_tls import check

            refused = check(tls, request)
            if refused is not None:
                request.enter(server.root)
                request.drive(refused)
                return
        request.start()

    def canceled(self, code: int) -> None:
        """RESET_STREAM came."""
        if self.request is not None and not self.in_closed:
            self.request.log("info", f"client canceled stream {self.id} with error {code}")
        if self.blocked:
            # what it waits for does not matter any more, and its half of the stream is still open
            self.blocked = 0
            self.http3.unread(self.id)
            self.headed = self.fin = self.in_closed = True
            self.wait_for(0.0)
            error = HeadError(400, "client prematurely closed stream")
            self._refuse(RequestHead(), self.server, self.version, error)
            return
        if self.fin:
            return  # all of it is here
        self.http3.unread(self.id)
        self.fin = self.in_closed = True
        self.lose()

    def lose(self) -> None:
        if self.lost:
            return
        self.reset(REQUEST_CANCELLED)
        self.lost = self.skip_data = True
        self._drop()
        request = self.request
        if request is None or self.finishing:
            self._gone()
        else:
            self.tell()

    def wait_for(self, seconds: float) -> None:
        """Set the deadline; 0: there is none."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.lane.call_later(seconds, self._late) if seconds else None

    def _late(self) -> None:
        self.timer = None
        request = self.request
        if request is None:
            self.headed = True
            request = self._make_late(self.version)
        request.log("info", b"client timed out (110: Connection timed out)")
        self.skip_data = True
        request.finalize(408)
        self.http3.push()

    # -- Output: the response ------------------------------------------------------------------------------------

    def _write(self, kind: int, payload: bytes, last: bool, framing: bool) -> None:
        data = varint(kind) + varint(len(payload)) + payload
        self.http3.give(self.id, data, last)
        self.sent_bytes += len(data)
        if self.request is not None:
            self.request.head_size += len(data) if framing else len(data) - len(payload)
        self.out_closed = last

    def send_early_hints(self, request: Request, fields: Fields) -> None:
        if fields and not request.head_sent and not self.lost:
            self._write(HEADERS, self.http3.encode(self.id, [(b":status", b"103"), *others(fields)]), False, True)
            self.http3.push()

    def send_head(self, request: Request) -> None:
        ends = decide_end(request)
        if self.lost:
            return
        self._write(HEADERS, self.http3.encode(self.id, response_fields(request, self.lane.date_text())), ends, True)
        if not ends:
            self._set_pace(request)

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        if self.lost or self.out_closed or self.ending:
            return
        for piece in pieces:
            self.queue.add(piece)
        self.ending = last
        self.pump()
        self.http3.push()

    def pump(self) -> bool:
        """Give QUIC what it has room for; whether it took something."""
        queue = self.queue
        took = False
        while not self.lost and not self.out_closed and self.paused is None:
            if not queue.size:
                if self.ending:
                    self._write_end()
                    took = True
                break
            # Whole chunks, not as much as each acknowledgement makes room for: a frame has a head of its own.
            room = min(_CHUNK, _ENOUGH - self.http3.waiting(self.id))
            if room < _CHUNK and room < queue.size:
                break
            if room > 0 and self.pace is not None:
                now = self.lane.fresh()
                room = min(room, self.pace.allowed(self.sent_bytes, now))
                if room <= 0:
                    self.paused = self.lane.call_later(self.pace.until - now, self._go_on)
            if room <= 0:
                break
            data = self._take(room)
            if data is None:
                if self.request is not None:
                    self.request.log("alert", b"file was truncated while it was sent")
                self.reset(INTERNAL_ERROR)
                self.lost = True
                break
            before = self.sent_bytes
            self._write(DATA, data, self.ending and not queue.size and not self._has_trailers(), False)
            if self.pace is not None:
                self.pace.charge(before, self.sent_bytes, self.lane.fresh())
            took = True
        return took

    def _take(self, room: int) -> bytes | None:
        """Up to `room` bytes for one frame, of as many pieces as it takes; None: a file became shorter."""
        parts = []
        while room and self.queue.size:
            part = self.queue.take(room)
            if part is None:
                return None
            parts.append(part)
            room -= len(part)
        return b"".join(parts)

    def _go_on(self) -> None:
        self.paused = None
        if self.request is not None:
            self.pump()
            self.http3.push()

    def moved(self) -> None:
        """The client acknowledged something, or QUIC sent: there may be room."""
        if self.request is None:
            return
        if self.pump() and self.finishing and not self.out_closed:
            self.wait_for(self.request.location.core.send_timeout)
        if self.finishing:
            if self.out_closed:
                self.complete()
        elif self.queue.size < _ENOUGH:
            self.tell()

    def _write_end(self) -> None:
        request = self.request
        fields = others(request.response.trailers) if request is not None and request.response.trailers else []
        if fields:
            self._write(HEADERS, self.http3.encode(self.id, fields), True, True)
        else:
            self.http3.give(self.id, b"", True)
            self.out_closed = True

    def finish(self, request: Request) -> None:
        if self.lost:
            self._end(request)
        elif not request.head_sent or not (self.ending or self.out_closed):
            self.terminate(request)
        else:
            self.finishing = True
            self.pump()
            if self.out_closed:
                self.complete()
            else:
                self.wait_for(request.location.core.send_timeout)
        self.http3.push()

    def complete(self) -> None:
        """All of the response is with QUIC."""
        request = self.request
        if request is None:
            return
        request.complete = True
        if not self.fin:
            self.http3.stop(self.id, NO_ERROR)
        self._end(request)

    def terminate(self, request: Request) -> None:
        if self.request is not request:
            return  # what a subrequest ended, its own handler ends once more
        if not self.lost and not self.out_closed:
            self.reset(GENERAL_PROTOCOL_ERROR if request.timed_out else INTERNAL_ERROR)
        self._end(request)
        self.http3.push()

    def reset(self, code: int) -> None:
        """Nothing more of the response, nor of the request."""
        if not self.out_closed:
            self.out_closed = True
            self.http3.reset(self.id, code)
        if not self.fin:
            self.http3.stop(self.id, code)

    def _end(self, request: Request) -> None:
        if self.request is None:
            return
        self.lost = True
        self._drop()
        self.request_ends(request)
        self._gone()

    def _gone(self) -> None:
        self.wait_for(0.0)
        if self.paused is not None:
            self.paused.cancel()
            self.paused = None
        self.request = None
        self.http3.ended(self)

    def _drop(self) -> None:
        self.queue.clear()
        self.input.clear()
        if self.unread:
            self.http3.consumed(self.id, self.unread)
            self.unread = 0

    # -- the request's body --------------------------------------------------------------------------------------

    def body_preread(self, request: Request) -> int:
        return self.preread

    def body_taken(self, size: int) -> None:
        self.http3.consumed(self.id, size)
        self.unread = 0
        if not self.in_closed:
            self.http3.push()

    def check_length(self, request: Request) -> None:
        declared = request.head.content_length
        if self.left:
            self.bad_body(b"client prematurely closed stream")
        if declared >= 0 and declared != self.received:
            self.bad_body(
                b"client sent less body data than expected: %d out of %d bytes of request body received"
                % (self.received, declared)
            )

    def discard_body(self, request: Request) -> int:
        self.skip_data = True
        if self.unread:
            self.input.clear()
            self.http3.consumed(self.id, self.unread)
            self.unread = 0
        return 0
