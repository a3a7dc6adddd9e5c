"""One stream of an HTTP/2 connection: the output of its request, and what comes of that request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.errors import HeadError
from gateway._fast.http2_head import Http2Head
from gateway._fast.http2_reader import FrameReader
from gateway.http.h2_head import decide_end, early_hints_block, response_block, trailers_block
from gateway.http.module import Count, Status
from gateway.http.request import Request
from gateway.http.request_stream import RequestStream
from gateway.protocol import http2_frames as wire

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.h2_connection import Http2Connection
    from gateway.http.h2_head import Fields
    from gateway.http.h2_turns import Node
    from gateway.http.servers import AddressServers, Server

_WRONG_SERVER: Final = "client attempted to request the server name for which the negotiated protocol is disabled"

_DATA: Final = wire.DATA
_END_STREAM: Final = wire.END_STREAM
_FRAME_HEAD: Final = wire.FRAME_HEAD
_DEFAULT_FRAME_SIZE: Final = wire.DEFAULT_FRAME_SIZE
_MAX_WINDOW: Final = wire.MAX_WINDOW
_NO_ERROR: Final = wire.NO_ERROR


class Http2Stream(RequestStream):
    def __init__(self, connection: Http2Connection, number: int, ended: bool) -> None:
        self.open_on(connection, number, ended)

    def open_on(self, connection: Http2Connection, number: Count, ended: bool) -> None:
        """What __init__ does, as a call of C's."""
        self.open(connection, number)
        self.http2 = connection
        self.rst_sent = False
        self.deadline = 0.0
        # the response
        self.end_at = 0  # where its last frame ends, in bytes of the socket
        self.all_sent = False  # that frame is with the kernel, and the request goes on
        self.in_turn = False
        self.in_moved = False
        self.widened = 0  # beyond the window that all streams begin with
        self.held = False  # there is data, and no window for it
        self.node: Node | None = None  # its place among the others, where the client gave priorities
        self.chunk = _DEFAULT_FRAME_SIZE
        # the request's body
        self.in_closed = ended
        self.recv_window = connection.preread_size
        self.window = 0  # what recv_window is brought back to as the body is read; 0: it is as wide as can be

    # -- the request ---------------------------------------------------------------------------------------------

    def begin(self, reader: FrameReader) -> None:
        """Make the request of the fields that were read and run it."""
        servers: AddressServers = self.listening.servers_for(self)
        default = servers.default
        reading = Http2Head(default.limits, reader.size, None if servers.single else servers.limits_of)
        try:
            reading.read(reader.decoder)
            server: Server = reading.head.server or default
            if not server.http2 and not servers.http2:
                raise HeadError(421, _WRONG_SERVER)
            head = reading.finish(self.in_closed)
        except HeadError as error:
            self._refuse(reading.head, default, 20, error)
            return
        request = self._make_request(head, server)
        if head.notes is not None:
            self.fields_ignored(request, head.notes)
        self.head_read(request, head, servers)
        self.http2.floods.payload_bytes += reader.size
        if self.handshake is None or self.may_ask(request):
            request.start()

    def head_is_late(self) -> None:
        """Its fields have not come within client_header_timeout."""
        self._make_late(20).finalize(408)

    def _moves(self) -> None:
        """Frames that come or go together are told of together."""
        if not self.in_moved:
            self.in_moved = True
            self.http2.moved.append(self)

    # -- Output: the response ------------------------------------------------------------------------------------

    def send_early_hints(self, request: Request, fields: Fields) -> None:
        if fields and not request.head_sent and not self.lost:
            self._write_block(early_hints_block(fields), 0)
            self.http2.push()

    def send_head(self, request: Request) -> None:
        ends = decide_end(request)
        if self.lost:
            return
        self._write_block(response_block(request, self.lane.date_text()), _END_STREAM if ends else 0)
        if ends:
            return
        self.chunk = request.location.http2_chunk_size
        self._set_pace(request)

    def _write_block(self, block: bytes, flags: Count) -> None:
        size = self.http2.write_block(self.id, block, flags)
        self._wrote(size, size, flags)

    def _wrote(self, size: Count, framing: Count, flags: Count) -> None:
        """A frame was; `framing`: what of it is no body, and not in $body_bytes_sent."""
        self.sent_bytes += size
        if self.request is not None:
            self.request.head_size += framing
        if flags:
            self.out_closed = True
            self.http2.ends(self)

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        if self.lost or self.out_closed or self.ending:
            return
        queue = self.queue
        for piece in pieces:
            queue.add(piece)
        http2 = self.http2
        if last:
            self.ending = True
        if queue.size:
            if last and not http2.turns.waiting and queue.size <= self._room() and http2.room():
                self.send_frame()  # all that is left, and nobody waits
            else:
                http2.turns.want(self)
        elif last:
            self._write_end()
        if flush and not last:
            http2.push()

    def _room(self) -> Count:
        """The largest DATA frame that may be sent now."""
        windows = self.http2.windows
        room = min(self.chunk, self.http2.frame_size)
        room = min(room, windows.initial + self.widened)
        room = min(room, windows.send)
        if self.pace is not None and room > 0:
            room = min(room, self._paced())
        return room

    def send_frame(self) -> bool:
        """Write the next DATA frame; True if there is more that may be sent."""
        http2 = self.http2
        queue = self.queue
        room = self._room()
        if room <= 0 or not queue.size:
            if queue.size and http2.windows.initial + self.widened <= 0:
                http2.windows.hold(self)
            return False
        data = queue.take(room)
        request = self.request
        if data is None:
            if request is not None:
                request.log("alert", b"file was truncated while it was sent")
            self.reset(wire.INTERNAL_ERROR)
            return False
        size = len(data)
        self.widened -= size
        http2.windows.send -= size
        http2.floods.payload_bytes += size
        ends = self.ending and not queue.size
        flags = _END_STREAM if ends and not self._has_trailers() else 0
        before = self.sent_bytes
        http2.out.frame(size, _DATA, flags, self.id)
        http2.write_data(data)
        self._wrote(_FRAME_HEAD + size, _FRAME_HEAD, flags)
        if self.pace is not None:
            self.pace.charge(before, self.sent_bytes, self.lane.fresh())
        if request is not None:
            if not self.finishing and not ends:
                self._moves()
            if self.deadline:
                http2.deadlines.time_stream(self, self.lane.fresh() + request.location.core.send_timeout)
        if ends and not flags:
            self._write_end()
        return queue.size > 0

    def _paced(self) -> Count:
        """How much the rate lets out now; where it holds everything back, the stream comes again in time."""
        pace = self.pace
        if pace is None or self.request is None:
            return 0
        now = self.lane.fresh()
        allowed = pace.allowed(self.sent_bytes, now)
        if allowed <= 0:
            self.lane.call_later(pace.until - now, self._go_on)
        return allowed

    def _go_on(self) -> None:
        if self.queue.size and not self.lost:
            self.http2.turns.want(self)
            self.http2.push()

    def _write_end(self) -> None:
        """All data is written: trailers, or an empty frame."""
        request = self.request
        block = b""
        if request is not None and request.response.trailers:
            block = trailers_block(request.response.trailers)
        if block:
            self._write_block(block, _END_STREAM)
        else:
            self.http2.out.frame(0, _DATA, _END_STREAM, self.id)
            self._wrote(_FRAME_HEAD, _FRAME_HEAD, _END_STREAM)

    def finish(self, request: Request) -> None:
        if self.lost:
            self._end(request)
        elif not request.head_sent or not (self.ending or self.out_closed):
            self.terminate(request)
        else:
            self.finishing = True
            if not self.out_closed:
                self.http2.deadlines.time_stream(self, self.lane.fresh() + request.location.core.send_timeout)
            elif self.all_sent:
                self.complete()
            self.http2.push()

    def complete(self) -> None:
        """The last frame is with the kernel."""
        request = self.request
        if request is None:
            return
        if not self.finishing:
            self.all_sent = True  # a subrequest in the background goes on: finish() waits for nothing more
            return
        request.complete = True
        if not self.in_closed and not self.rst_sent:
            self.rst_sent = True
            self.http2.reset(self.id, _NO_ERROR)
        self._end(request)

    def terminate(self, request: Request) -> None:
        if self.request is not request:
            return  # what a subrequest ended, its own handler ends once more
        if not self.rst_sent and not self.lost:
            if self.out_closed:
                code = wire.NO_ERROR
            else:
                code = wire.PROTOCOL_ERROR if request.timed_out else wire.INTERNAL_ERROR
            if not self.out_closed or not self.in_closed:
                self.rst_sent = True
                self.http2.reset(self.id, code)
        self._end(request)
        self.http2.push()

    def _end(self, request: Request) -> None:
        if self.request is None:
            return
        self.lost = True
        self._drop()
        http2 = self.http2
        if self.deadline:
            http2.deadlines.timed.discard(self)
        if self.held:
            http2.windows.let_go(self)
        http2.turns.ends(self)
        del http2.streams[self.id]
        self.request_ends(request)
        self.request = None

    def _drop(self) -> None:
        self.queue.clear()
        self.input.clear()

    # -- what the client says of the stream ----------------------------------------------------------------------

    def reset(self, code: Count) -> None:
        """The stream is in error: RST_STREAM, and nothing more of it."""
        if not self.rst_sent:
            self.rst_sent = True
            self.http2.reset(self.id, code)
            self.lose()

    def canceled(self, code: Count) -> None:
        """RST_STREAM came."""
        self.http2.floods.canceled_streams += 1
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
        self.lost = True
        self.skip_data = True
        self._drop()
        request = self.request
        if request is not None and self.finishing:
            self._end(request)
        else:
            self.tell()

    def timed_out(self) -> None:
        request = self.request
        if request is not None:
            request.log("info", b"client timed out (110: Connection timed out)")
            request.finalize(408)

    def widen(self, increment: Count) -> None:
        """WINDOW_UPDATE came."""
        windows = self.http2.windows
        window = windows.initial + self.widened
        if increment > _MAX_WINDOW - window:
            if self.request is not None:
                self.request.log(
                    "info",
                    f"client violated flow control for stream {self.id}: received WINDOW_UPDATE frame "
                    f"with window increment {increment} not allowed for window {window}",
                )
            self.reset(wire.FLOW_CONTROL_ERROR)
            return
        self.widened += increment
        windows.widest = max(windows.widest, self.widened)
        if window + increment > 0:
            self.resume()

    def resume(self) -> None:
        """The window is open."""
        if self.held:
            self.http2.windows.let_go(self)
        if self.queue.size:
            self.http2.turns.want(self)

    # -- the request's body --------------------------------------------------------------------------------------

    def receive(self, reader: FrameReader) -> None:
        """DATA came, or a part of it."""
        size = reader.size
        if size > self.recv_window:
            if self.request is not None:
                self.request.log(
                    "info",
                    f"client violated flow control for stream {self.id}: "
                    f"received DATA frame length {size}, available window {self.recv_window}",
                )
            self.reset(wire.FLOW_CONTROL_ERROR)
            return
        self.recv_window -= size
        request = self.request
        if not self.window and self.recv_window < _MAX_WINDOW // 4 and request is not None and request.body is not None:
            self._update_window(_MAX_WINDOW)
        if self.in_closed:
            if request is not None:
                request.log("info", f"client sent DATA frame for half-closed stream {self.id}")
            self.reset(wire.STREAM_CLOSED)
            return
        if self.skip_data:
            return
        if reader.length:
            self.http2.floods.payload_bytes += reader.length
            self.input.append(reader.part())
        elif not reader.ends:
            return
        if reader.ends:
            self.in_closed = True
        self._moves()

    def _update_window(self, size: Count) -> None:
        if size > self.recv_window:
            self.http2.update_window(self.id, size - self.recv_window)
            self.recv_window = size

    def body_begins(self, whole: bool) -> None:
        request = self.request
        if self.in_closed or self.lost or request is None:
            return
        if whole:
            self._update_window(_MAX_WINDOW)
        else:
            size = request.location.core.client_body_buffer_size
            declared = request.head.content_length
            if 0 <= declared < size:
                size = declared + 1
            preread = self.http2.preread_size
            self.window = min(max(size, preread), _MAX_WINDOW)
            self._update_window(self.recv_window + self.window - preread)
        self.http2.push()

    def body_taken(self, size: Count) -> None:
        if self.window and not self.in_closed:
            self._update_window(self.window)
            self.http2.push()

    def check_length(self, request: Request) -> None:
        declared = request.head.content_length
        if declared >= 0 and declared != self.received:
            self.bad_body(
                b"client prematurely closed stream: only %d out of %d bytes of request body received"
                % (self.received, declared)
            )

    def discard_body(self, request: Request) -> Status:
        self.skip_data = True
        self.input.clear()
        return 0
