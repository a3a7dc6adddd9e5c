"""One stream of an HTTP/2 connection: the output of its request, and what comes of that request's body.

To its request it is the whole connection, with addresses of its own, as in nginx: a module that replaces the client's
address for one request does not touch the others'.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from gateway._fast.errors import HeadError
from gateway._fast.http2_head import Http2Head
from gateway._fast.request_head import RequestHead
from gateway.core.pieces import Piece, length
from gateway.http.body import BodyError
from gateway.http.client import Client
from gateway.http.final_head import rate_limit
from gateway.http.h2_head import decide_end, other_fields, response_fields
from gateway.http.module import Count, Status
from gateway.http.output import CLIENT_THERE, CONNECTION_FAILED
from gateway.http.request import Request
from gateway.protocol import http2_frames as wire
from gateway.protocol.hpack_encoder import encode

if TYPE_CHECKING:
    from gateway.http.h2_connection import Http2Connection
    from gateway.http.h2_head import Fields
    from gateway.http.servers import Server
    from gateway.protocol.http2_frames import Frame

_WRONG_SERVER: Final = "client attempted to request the server name for which the negotiated protocol is disabled"


class Http2Stream(Client):
    def __init__(self, connection: Http2Connection, number: int, ended: bool) -> None:
        super().__init__(connection.worker, connection.stream, connection.peer, connection.listening, connection.number)
        self.http2 = connection
        self.id = number
        self.started = connection.started
        self.scheme = connection.scheme
        self.local = connection.local
        self.proxy = connection.proxy
        self.handshake = connection.handshake
        self.requests = connection.requests
        self.request: Request | None = None
        self.lost = False  # reset by either side, or the connection is: nothing is sent any more
        self.rst_sent = False
        self.deadline = 0.0
        # the response
        self.queue: deque[Piece] = deque()
        self.offset = 0  # what is sent of the first piece
        self.queued = 0  # bytes in the queue
        self.ending = False  # the queue has all of the response
        self.out_closed = False  # its last frame was written
        self.finishing = False  # the request waits for that frame to be sent
        self.in_turn = False
        self.send_window = connection.initial_window
        self.chunk = wire.DEFAULT_FRAME_SIZE
        self.sent_bytes = 0
        self.rate = 0
        self.rate_base = 0  # bytes from which on the rate holds
        self.rate_until = 0.0  # nothing is sent before
        # the request's body
        self.in_closed = ended
        self.skip_data = False
        self.input: list[bytes] = []
        self.received = 0  # of the body, by whoever reads it
        self.recv_window = connection.settings.preread_size
        self.window = 0  # what recv_window is brought back to as the body is read; 0: it is as wide as can be

    # -- the request ---------------------------------------------------------------------------------------------

    def begin(self, fields: Fields, size: int) -> None:
        """Make the request of a block of fields and run it."""
        servers = self.servers
        default = servers.default
        reading = Http2Head(default.limits, size, None if servers.single else servers.limits_of)
        head = reading.head
        try:
            reading.read(fields)
            server = head.server or default
            if not server.http2 and not servers.http2:
                raise HeadError(421, _WRONG_SERVER)
            head = reading.finish(self.in_closed)
        except HeadError as error:
            request = self._make_request(head, head.server or default)
            self.head_refused(request)
            request.http_version = 20
            request.log(error.level, str(error))
            self.skip_data = True
            request.drive(error.status)
            return
        request = self._make_request(head, server)
        for note in head.notes or ():
            request.log("info", note)
        self.head_read(request, head, servers)
        self.http2.payload_bytes += size
        if self.handshake is None or self.may_ask(request):
            request.start()

    def head_is_late(self) -> None:
        """Its fields have not come within client_header_timeout."""
        request = self._make_request(RequestHead(), self.server)
        self.head_refused(request)
        request.http_version = 20
        request.finalize(408)

    def _make_request(self, head: RequestHead, server: Server) -> Request:
        self.server = server
        request = self.request = Request(self, head, server, self.listening.cycle)
        request.started = self.lane.fresh()
        self.worker.request_begins()
        return request

    def tell(self) -> None:
        """Something has changed, for whoever waits for it."""
        request = self.request
        if request is not None:
            request.client_event()

    # -- Output: the response ------------------------------------------------------------------------------------

    def send_early_hints(self, request: Request, fields: Fields) -> None:
        if fields and not request.head_sent and not self.lost:
            self._write_fields([(b":status", b"103"), *other_fields(fields)], 0)
            self.http2.push()

    def send_head(self, request: Request) -> None:
        ends = decide_end(request)
        if self.lost:
            return
        fields = response_fields(request, self.lane.http_date)
        self._write_fields(fields, wire.END_STREAM if ends else 0)
        if ends:
            return
        self.chunk = request.location.http2_chunk_size
        self.rate, self.rate_base = rate_limit(request)

    def _write_fields(self, fields: Fields, flags: int) -> None:
        http2 = self.http2
        data = wire.headers(self.id, encode(fields), flags, http2.frame_size)
        http2.payload_bytes += len(data) - wire.FRAME_HEAD
        self._write(data, flags, len(data))

    def _write(self, data: bytes, flags: int, framing: int) -> None:
        """Queue a frame; `framing`: what of it is no body, and not in $body_bytes_sent."""
        http2 = self.http2
        end = http2.write(data)
        self.sent_bytes += len(data)
        if self.request is not None:
            self.request.head_size += framing
        if flags & wire.END_STREAM:
            self.out_closed = True
            http2.ending.append((end, self))

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        if self.lost or self.out_closed or self.ending:
            return
        for piece in pieces:
            size = length(piece)
            if size:
                self.queue.append(piece)
                self.queued += size
        if last:
            self.ending = True
        if self.queued:
            self.http2.want(self)
        elif last:
            self._write_end()
        if flush and not last:
            self.http2.push()

    def send_frame(self) -> bool:
        """Write the next DATA frame; True if there is more that may be sent."""
        http2 = self.http2
        room = min(self.chunk, http2.frame_size, self.send_window, http2.send_window)
        if self.rate:
            room = min(room, self._allowed())
        if room <= 0 or not self.queued:
            return False
        data = self._take(room)
        if data is None:
            assert self.request is not None
            self.request.log("alert", b"file was truncated while it was sent")
            self.reset(wire.INTERNAL_ERROR)
            return False
        size = len(data)
        self.send_window -= size
        http2.send_window -= size
        http2.payload_bytes += size
        ends = self.ending and not self.queued
        flags = wire.END_STREAM if ends and not self._trailers() else 0
        before = self.sent_bytes
        self._write(wire.frame_head(size, wire.DATA, flags, self.id) + data, flags, wire.FRAME_HEAD)
        if self.rate:
            self._charge(before)
        request = self.request
        if request is not None:
            if not self.finishing:
                http2.moved.append(self)
            if self.deadline:
                http2.time_stream(self, self.lane.fresh() + request.location.core.send_timeout)
        if ends and not flags:
            self._write_end()
        return self.queued > 0

    def _take(self, room: int) -> bytes | None:
        """Up to so many bytes off the queue; None if a file has become shorter than was promised."""
        parts = []
        queue = self.queue
        while room and queue:
            piece = queue[0]
            if isinstance(piece, bytes):
                whole = not self.offset and len(piece) <= room
                part = piece if whole else piece[self.offset : self.offset + room]
            else:
                part = piece.read(self.offset, min(room, piece.length - self.offset))
                if not part:
                    return None
            parts.append(part)
            size = len(part)
            room -= size
            self.queued -= size
            self.offset += size
            if self.offset == length(piece):
                queue.popleft()
                self.offset = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _allowed(self) -> int:
        """How much the rate lets out now; where it holds everything back, the stream comes again in time."""
        assert self.request is not None
        now = self.lane.fresh()
        # whole seconds, the first of which is free, as nginx counts them
        allowed = self.rate * (int(now - self.request.started) + 1) - (self.sent_bytes - self.rate_base)
        wait = self.rate_until - now
        if allowed <= 0:
            wait = max(wait, -allowed / self.rate + 0.001)
        if wait <= 0:
            return allowed
        self.lane.call_later(wait, self._go_on)
        return 0

    def _charge(self, before: int) -> None:
        """What went out beyond the free part must have taken its time before more goes."""
        count = max(self.sent_bytes - self.rate_base, 0) - max(before - self.rate_base, 0)
        if count * 1000 >= self.rate:
            self.rate_until = self.lane.fresh() + count / self.rate

    def _go_on(self) -> None:
        if self.queued and not self.lost:
            self.http2.want(self)
            self.http2.push()

    def _trailers(self) -> Fields:
        request = self.request
        if request is None or request.response.trailers is None:
            return []
        return other_fields(request.response.trailers)

    def _write_end(self) -> None:
        """All data is written: trailers, or an empty frame."""
        trailers = self._trailers()
        if trailers:
            self._write_fields(trailers, wire.END_STREAM)
        else:
            frame = wire.frame_head(0, wire.DATA, wire.END_STREAM, self.id)
            self._write(frame, wire.END_STREAM, wire.FRAME_HEAD)

    def client_state(self) -> Status:
        return CONNECTION_FAILED if self.lost else CLIENT_THERE

    def sent(self) -> Count:
        return self.sent_bytes

    def pending(self) -> Count:
        return self.queued

    def finish(self, request: Request) -> None:
        if self.lost:
            self._end(request)
        elif not request.head_sent or not (self.ending or self.out_closed):
            self.terminate(request)
        else:
            self.finishing = True
            if not self.out_closed:
                self.http2.time_stream(self, self.lane.fresh() + request.location.core.send_timeout)
            self.http2.push()

    def complete(self) -> None:
        """The last frame is with the kernel."""
        request = self.request
        if request is None or not self.finishing:
            return
        request.complete = True
        if not self.in_closed and not self.rst_sent:
            self.rst_sent = True
            self.http2.write(wire.rst_stream(self.id, wire.NO_ERROR))
        self._end(request)

    def terminate(self, request: Request) -> None:
        if self.request is not request:
            return  # what a subrequest ended, its own handler ends once more
        if not self.rst_sent and not self.lost:
            if self.out_closed:
                code = wire.NO_ERROR
            else:
                code = wire.PROTOCOL_ERROR if request.log_status == 408 else wire.INTERNAL_ERROR
            if not self.out_closed or not self.in_closed:
                self.rst_sent = True
                self.http2.write(wire.rst_stream(self.id, code))
        self._end(request)
        self.http2.push()

    def _end(self, request: Request) -> None:
        """Log, clean up, and leave the connection."""
        if self.request is None:
            return
        self.lost = True
        self._drop()
        http2 = self.http2
        http2.timed.discard(self)
        del http2.streams[self.id]
        self.request_ends(request)
        self.request = None

    def _drop(self) -> None:
        self.queue.clear()
        self.queued = self.offset = 0
        self.input.clear()

    # -- what the client says of the stream ----------------------------------------------------------------------

    def reset(self, code: int) -> None:
        """The stream is in error: RST_STREAM, and nothing more of it."""
        if not self.rst_sent:
            self.rst_sent = True
            self.http2.write(wire.rst_stream(self.id, code))
            self.lose()

    def canceled(self, code: int) -> None:
        """RST_STREAM came."""
        self.http2.canceled_streams += 1
        request = self.request
        if request is not None:
            if code == wire.CANCEL:
                request.log("info", f"client canceled stream {self.id}")
            elif code == wire.INTERNAL_ERROR:
                request.log("info", f"client terminated stream {self.id} due to internal error")
            else:
                request.log("info", f"client terminated stream {self.id} with status {code}")
        self.in_closed = self.out_closed = True
        self.lose()

    def lose(self) -> None:
        """Nobody listens any more: who waits for the client learns it, a complete answer ends here."""
        self.lost = True
        self.skip_data = True
        self._drop()
        request = self.request
        if request is not None and self.finishing:
            self._end(request)
        else:
            self.tell()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        request = self.request
        try:
            self.lose()
            if self.request is not None:
                self.request.aborted = True
                self.tell()
        finally:
            if request is not None and self.request is request:
                self._end(request)

    def timed_out(self) -> None:
        request = self.request
        if request is not None:
            request.log("info", b"client timed out (110: Connection timed out) while sending response to client")
            request.finalize(408)

    def widen(self, increment: int) -> None:
        """WINDOW_UPDATE came."""
        if increment > wire.MAX_WINDOW - self.send_window:
            assert self.request is not None
            self.request.log(
                "info",
                f"client violated flow control for stream {self.id}: received WINDOW_UPDATE frame "
                f"with window increment {increment} not allowed for window {self.send_window}",
            )
            self.reset(wire.FLOW_CONTROL_ERROR)
            return
        self.send_window += increment
        if self.queued:
            self.http2.want(self)

    def change_window(self, delta: int) -> None:
        """SETTINGS changed the window that streams begin with."""
        if delta > 0 and self.send_window > wire.MAX_WINDOW - delta:
            self.reset(wire.FLOW_CONTROL_ERROR)
            return
        self.send_window += delta
        if self.queued and self.send_window > 0:
            self.http2.want(self)

    # -- the request's body --------------------------------------------------------------------------------------

    def receive(self, frame: Frame) -> None:
        """DATA came, or a part of it."""
        size = frame.size
        request = self.request
        assert request is not None
        if size > self.recv_window:
            request.log(
                "info",
                f"client violated flow control for stream {self.id}: "
                f"received DATA frame length {size}, available window {self.recv_window}",
            )
            self.reset(wire.FLOW_CONTROL_ERROR)
            return
        self.recv_window -= size
        if request.body is not None and not self.window and self.recv_window < wire.MAX_WINDOW // 4:
            self._update_window(wire.MAX_WINDOW)
        if self.in_closed:
            request.log("info", f"client sent DATA frame for half-closed stream {self.id}")
            self.reset(wire.STREAM_CLOSED)
            return
        if self.skip_data:
            return
        if frame.flags & wire.END_STREAM:
            self.in_closed = True
        if frame.payload:
            self.http2.payload_bytes += len(frame.payload)
            self.input.append(frame.payload)
        self.http2.moved.append(self)  # frames that came together are told of together

    def _update_window(self, size: int) -> None:
        if size > self.recv_window:
            self.http2.reply(wire.window_update(self.id, size - self.recv_window))
            self.recv_window = size

    def body_begins(self, whole: bool) -> None:
        if self.in_closed or self.lost:
            return
        request = self.request
        assert request is not None
        if whole:
            self._update_window(wire.MAX_WINDOW)
        else:
            size: int = request.location.core.client_body_buffer_size
            declared = request.head.content_length
            if 0 <= declared < size:
                size = declared + 1
            preread = self.http2.settings.preread_size
            self.window = min(max(size, preread), wire.MAX_WINDOW)
            self._update_window(self.recv_window + self.window - preread)
        self.http2.push()

    def receive_body(self, request: Request) -> bytes | None:
        if self.input:
            data = b"".join(self.input)
            self.input.clear()
            self.received += len(data)
            if 0 <= request.head.content_length < self.received:
                self._bad_body(b"client intended to send body data larger than declared")
            if self.in_closed:
                self._check_length(request)
            elif self.window:
                self._update_window(self.window)
                self.http2.push()
            return data
        if self.lost:
            raise BodyError(499, b"client prematurely closed stream")
        if self.in_closed:
            self._check_length(request)
            return b""
        return None

    def _check_length(self, request: Request) -> None:
        declared = request.head.content_length
        if declared >= 0 and declared != self.received:
            self._bad_body(
                b"client prematurely closed stream: only %d out of %d bytes of request body received"
                % (self.received, declared)
            )

    def _bad_body(self, message: bytes) -> None:
        self.skip_data = True
        raise BodyError(400, message)

    def body_done(self) -> bool:
        return self.in_closed and not self.input

    def body_received(self) -> Count:
        return self.received

    def discard_body(self, request: Request) -> Status:
        self.skip_data = True
        self.input.clear()
        return 0
