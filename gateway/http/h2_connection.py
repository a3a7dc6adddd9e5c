"""A client's HTTP/2 connection: its frames, its windows and its streams, each of which serves one request.

What is written while frames are read leaves in one go when all of them are, so that many streams share a system call.
DATA leaves stream by stream, one frame each in turn, and only as far as the socket takes it soon: what waits, waits in
its stream, where a reset can drop it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from gateway.core.logs import LEVELS
from gateway.http.client import Client
from gateway.http.h2_fields import FieldReader
from gateway.http.h2_settings import DEFAULT
from gateway.http.h2_stream import Http2Stream
from gateway.http.lingering import Lingering
from gateway.protocol import http2_frames as wire
from gateway.protocol.http2_frames import Frame, FrameReader, Http2Error
from gateway.serving.worker import crash_text

if TYPE_CHECKING:
    from gateway.http.h2_settings import Http2Settings
    from gateway.http.settings import EngineSettings

# What may be queued on the socket before streams have to wait for it.
_ENOUGH: Final = 64 * 1024
# Frames that answer the client's (of SETTINGS, PING and the like) and that wait for it to read: nginx's limit.
_MOST_FRAMES: Final = 10_000


class Http2Connection(Client):
    """Takes over the stream of a connection that has begun to speak HTTP/2; `data` came on it already."""

    def __init__(self, before: Client, data: bytes) -> None:
        super().__init__(before.worker, before.stream, before.remote(), before.listening, before.number)
        self.started = before.started
        self.scheme = before.scheme
        self.local = before.local
        self.proxy = before.proxy
        self.handshake = before.handshake
        self.server = before.server  # TLS has chosen it by name
        self.settings: Http2Settings = self.server.http2_settings or DEFAULT
        limits = self.server.limits
        self.fields = FieldReader(limits)
        # A text of rare bytes is longer in Huffman's code than in plain: 30 bits for some.
        self.reader = FrameReader(4 * self.fields.head_limit + 16384)
        self.streams: dict[int, Http2Stream] = {}
        self.ready: deque[Http2Stream] = deque()  # those that have data and the window to send it
        self.ending: deque[tuple[int, Http2Stream]] = deque()  # what was written when a stream's last frame was
        self.timed: set[Http2Stream] = set()  # those with a deadline of their own
        self.moved: list[Http2Stream] = []  # sent or received something in this event
        self.last_stream = 0
        self.send_window = wire.DEFAULT_WINDOW
        self.recv_window = wire.MAX_WINDOW
        self.initial_window = wire.DEFAULT_WINDOW
        self.frame_size = wire.DEFAULT_FRAME_SIZE
        self.settings_acknowledged = False
        self.goaway = False  # said: no stream begins any more
        self.over = False  # nothing is read any more; it closes with its last stream
        self.failed = False  # nothing can be sent any more
        self.blocked = False  # in an event: what is written leaves at its end
        self.block_until = 0.0  # of a stream's head that is not all here
        self.late_block = 0  # the stream whose head did not come in time
        self.new_streams = 0  # in this event
        self.canceled_streams = 0  # likewise, by the client: their requests may not know yet
        self.refused_streams = 0
        self.priority_limit = max(self.settings.concurrent_streams, 100)
        self.total_bytes = 0
        self.payload_bytes = 0
        self.idle_events = 0
        self.begun = False  # the first event is over
        self.frames = 0  # written, and not with the kernel as far as is known
        self.idle_until = self.lane.fresh() + self.server.header_timeout
        self.stalled_until = 0.0  # the socket takes nothing
        tcp = self.stream
        tcp.handler = self.on_event
        tcp.on_deadline = self.on_deadline
        tcp.on_crash = self.crashed
        self.worker.connections.add(self)
        if self.core.tcp_nodelay:
            tcp.nodelay()
        tcp.write(
            wire.settings(
                (
                    (wire.MAX_CONCURRENT_STREAMS, self.settings.concurrent_streams),
                    (wire.INITIAL_WINDOW_SIZE, self.settings.preread_size),
                    (wire.MAX_FRAME_SIZE, wire.LARGEST_FRAME_SIZE),
                )
            )
            + wire.window_update(0, wire.MAX_WINDOW - wire.DEFAULT_WINDOW)
        )
        if self.worker.exiting:
            self.finalize(wire.NO_ERROR)
            return
        self.on_event(data)

    @property
    def core(self) -> EngineSettings:
        return self.server.root.core

    def log(self, message: str, level: str = "info") -> None:
        """A line about the connection; those about a request have its context."""
        context = b" while processing HTTP/2 connection, client: %s, server: %s" % (
            self.remote()[0],
            self.listening.address.text.encode(),
        )
        log = self.core.error_log
        log.write(LEVELS[level], message.encode("utf-8", "surrogateescape"), connection=self.number, context=context)

    # -- events --------------------------------------------------------------------------------------------------

    def on_event(self, data: bytes = b"") -> None:
        """The lane's call: something was received, sent, or the peer is gone."""
        if self.blocked or self.closed:
            return
        self.blocked = True
        self.new_streams = self.canceled_streams = 0
        try:
            if not self.streams and self.begun and not self.reader.incomplete:
                self.idle_events += 1
                if self.idle_events > 10 * self.core.keepalive_requests:
                    raise Http2Error(wire.NO_ERROR, "http2 flood detected")
            if data:
                self._receive(data)
            self._read()
        except Http2Error as error:
            self.log(str(error))
            self._finalize(error.code)
        finally:
            self.blocked = False
            self.begun = True
        self.push()

    def _read(self) -> None:
        tcp = self.stream
        while tcp.readable and not self.over:
            try:
                data = tcp.recv()
            except OSError:
                data = b""
            if data is None:
                return
            if not data:
                if self.streams or self.reader.incomplete:
                    self.log("client prematurely closed connection")
                self.failed = True
                self._finalize(wire.NO_ERROR)
                return
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        reader = self.reader
        reader.feed(data)
        while not self.over:
            frame = reader.next_frame()
            if frame is None:
                break
            handler = _HANDLERS.get(frame.type)
            if handler is not None:
                handler(self, frame)
            else:
                self.log(f"client sent frame with unknown type {frame.type}")
            if self.frames > _MOST_FRAMES:
                self.failed = True  # there is no use in a GOAWAY behind all that
                raise Http2Error(wire.NO_ERROR, "http2 flood detected")
        self.total_bytes += len(data)
        if self.total_bytes // 8 > self.payload_bytes + 1048576:
            raise Http2Error(wire.NO_ERROR, "http2 flood detected")

    def on_deadline(self) -> None:
        """The sweep's call: some deadline has passed; which one is to be found."""
        now = self.lane.fresh()
        if self.stalled_until and self.stalled_until <= now:
            self.failed = True
            self._finalize(wire.NO_ERROR)
        elif self.idle_until and self.idle_until <= now:
            code = wire.NO_ERROR
            if self.reader.incomplete:
                self.log("client timed out (110: Connection timed out)")
                code = wire.PROTOCOL_ERROR
            self._finalize(code)
        elif self.block_until and self.block_until <= now:
            self.log("client timed out (110: Connection timed out)")
            number = self.last_stream = self.late_block = self.reader.block_stream
            self.streams[number] = Http2Stream(self, number, False)
            self.streams[number].head_is_late()
        for stream in [stream for stream in self.timed if stream.deadline <= now]:
            stream.deadline = 0.0
            stream.timed_out()
        self.push()

    def time_stream(self, stream: Http2Stream, deadline: float) -> None:
        """`deadline` 0: none."""
        stream.deadline = deadline
        if deadline:
            self.timed.add(stream)
        else:
            self.timed.discard(stream)

    def _set_deadline(self) -> None:
        due = [stream.deadline for stream in self.timed if stream.deadline]
        due += [until for until in (self.idle_until, self.block_until, self.stalled_until) if until]
        self.stream.set_deadline(min(due, default=0.0))

    # -- output --------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> int:
        """Queue frames; where they end, in bytes of the socket."""
        tcp = self.stream
        tcp.write(data)
        self.total_bytes += len(data)
        return tcp.sent + tcp.pending

    def reply(self, frame: bytes) -> None:
        """Queue a frame that the client's made us send; a client that reads none of them is ended."""
        self.frames += 1
        self.write(frame)

    def want(self, stream: Http2Stream) -> None:
        """The stream has data that it may send."""
        if not stream.in_turn:
            stream.in_turn = True
            self.ready.append(stream)

    def push(self) -> None:
        """Send what can be sent, end the requests that are complete, and see what becomes of the connection."""
        if self.blocked or self.closed:
            return
        self.blocked = True
        tcp = self.stream
        try:
            while not self.failed:
                wrote = self._take_turns()
                before = tcp.sent
                tcp.flush()
                self.frames = min(self.frames, tcp.pending // wire.FRAME_HEAD)
                if tcp.error:
                    self.failed = True
                    self._finalize(wire.NO_ERROR)
                    break
                sent = tcp.sent > before
                self.stalled_until = (
                    0.0
                    if not tcp.pending
                    else (
                        self.lane.fresh() + self.core.send_timeout
                        if sent or not self.stalled_until
                        else self.stalled_until
                    )
                )
                waiting = tcp.pending
                ended = self._complete()
                if waiting or not (wrote or ended):
                    break
        finally:
            self.blocked = False
        moved, self.moved = self.moved, []
        for stream in moved:
            stream.tell()
        self._settle()

    def _take_turns(self) -> bool:
        """One DATA frame of each stream in turn, while the socket has room; whether there was any."""
        tcp = self.stream
        ready = self.ready
        wrote = False
        while ready and self.send_window > 0 and tcp.pending < _ENOUGH:
            stream = ready.popleft()
            stream.in_turn = False
            if stream.send_frame():
                self.want(stream)
            wrote = True
        return wrote

    def _complete(self) -> bool:
        """End the streams whose last frame is with the kernel; whether there were any."""
        sent = self.stream.sent
        ending = self.ending
        ended = False
        while ending and ending[0][0] <= sent:
            ending.popleft()[1].complete()
            ended = True
        return ended

    def _settle(self) -> None:
        """After an event: idle now, or at its end, or waiting for something."""
        if self.closed:
            return
        if not self.streams:
            if self.over or self.failed or self.goaway:
                self._end()
                return
            if not self.idle_until and not self.stream.pending:
                self.idle_until = self.lane.fresh() + self.core.keepalive_timeout
        block = self.reader.block_stream
        if not block or block == self.late_block:
            self.block_until = 0.0
        elif not self.block_until:
            self.block_until = self.lane.fresh() + self.server.header_timeout
            self.idle_until = 0.0
        self._set_deadline()

    # -- the end -------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self.stream.fd < 0

    @property
    def idle(self) -> bool:
        return not self.streams and not self.reader.incomplete

    @property
    def waits_since(self) -> float:
        if self.closed:
            return -1.0
        if self.over:
            return self.stream.deadline - self.core.lingering_timeout
        return self.idle_until - self.core.keepalive_timeout if self.idle and self.idle_until else -1.0

    def reuse(self) -> None:
        """worker_connections run short: the client is told, as long as it did not know."""
        if self.over:
            self.close()
        else:
            self.finalize(wire.NO_ERROR)

    def say_goaway(self, code: int) -> None:
        if not self.goaway and not self.failed:
            self.goaway = self.reader.refusing = True
            self.write(wire.goaway(self.last_stream, code))

    def _finalize(self, code: int) -> None:
        """No frame is read any more; streams learn that their client is gone, and the connection ends with them."""
        self.say_goaway(code)
        self.over = True
        self.idle_until = 0.0
        self.ready.clear()
        for stream in list(self.streams.values()):
            stream.lose()

    def finalize(self, code: int) -> None:
        self._finalize(code)
        self.push()

    def _end(self) -> None:
        """The last stream has ended, or there was none."""
        core = self.core
        tcp = self.stream
        if self.failed or core.lingering_close == 0:
            self.close()
        elif not tcp.pending:
            self.over = True
            Lingering(self, core)

    def close(self, reset: bool = False) -> None:
        if self.closed:
            return
        self.stream.close(reset=reset and self.core.reset_timedout_connection)
        self.worker.connection_closed(self)

    def retire(self) -> None:
        """The worker ends: the client is told, streams that have begun are served."""
        if not self.streams:
            self.finalize(wire.NO_ERROR)
        else:
            self.say_goaway(wire.NO_ERROR)
            self.push()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        try:
            for stream in list(self.streams.values()):
                stream.abort()
        finally:
            self.close()

    def crashed(self, error: Exception) -> None:
        """A handler raised: each stream's request ends, whatever becomes of the others."""
        self.failed = True
        for stream in list(self.streams.values()):
            try:
                stream.abort()
            except Exception as second:
                self.worker.log("alert", crash_text(second).encode("utf-8", "surrogateescape"))
        super().crashed(error)

    # -- frames --------------------------------------------------------------------------------------------------

    def _data(self, frame: Frame) -> None:
        size = frame.size
        if size > self.recv_window:
            raise Http2Error(
                wire.FLOW_CONTROL_ERROR,
                "client violated connection flow control: "
                f"received DATA frame length {size}, available window {self.recv_window}",
            )
        self.recv_window -= size
        if self.recv_window < wire.MAX_WINDOW // 4:
            self.write(wire.window_update(0, wire.MAX_WINDOW - self.recv_window))
            self.recv_window = wire.MAX_WINDOW
        stream = self.streams.get(frame.stream)
        if stream is not None:
            stream.receive(frame)

    def _headers(self, frame: Frame) -> None:
        number = frame.stream
        if number == self.late_block:
            self.fields.read(frame.payload)  # for the table of those that follow
            return
        if frame.depends_on == number:
            raise Http2Error(
                wire.PROTOCOL_ERROR, f"client sent HEADERS frame for stream {number} with incorrect dependency"
            )
        self.last_stream = number
        ended = bool(frame.flags & wire.END_STREAM)
        refusal = self._refusal(ended)
        if refusal:
            self.log(refusal)
            self.fields.read(frame.payload)  # for the table of those that follow
            if self.refused_streams > max(self.settings.concurrent_streams, 100):
                raise Http2Error(wire.NO_ERROR, "client sent too many refused streams")
            self.refused_streams += 1
            self.reply(wire.rst_stream(number, wire.REFUSED_STREAM))
            return
        self.priority_limit += self.settings.concurrent_streams
        self.idle_until = 0.0
        fields = self.fields.read(frame.payload)
        self.requests += 1
        stream = self.streams[number] = Http2Stream(self, number, ended)
        core = self.core
        if (
            not core.keepalive_timeout
            or self.requests >= core.keepalive_requests
            or self.lane.fresh() - self.started > core.keepalive_time
        ):
            self.say_goaway(wire.NO_ERROR)
        stream.begin(fields, frame.size)

    def _refusal(self, ended: bool) -> str:
        """Why no stream may begin now; "" if one may."""
        settings = self.settings
        under_way = len(self.streams) - self.canceled_streams
        if under_way >= settings.concurrent_streams:
            return f"concurrent streams exceeded {under_way}"
        self.new_streams += 1
        if self.new_streams > 2 * settings.concurrent_streams:
            return "client sent too many streams at once"
        if not self.settings_acknowledged and not ended and settings.preread_size < wire.DEFAULT_WINDOW:
            return "client sent stream with data before settings were acknowledged"
        return ""

    def _priority(self, frame: Frame) -> None:
        """Priorities are gone with RFC 9113: streams take turns, whatever they say."""
        self.priority_limit -= 1
        if not self.priority_limit:
            raise Http2Error(wire.ENHANCE_YOUR_CALM, "client sent too many PRIORITY frames")
        if wire.word_of(frame.payload) & wire.MAX_WINDOW == frame.stream:
            raise Http2Error(
                wire.PROTOCOL_ERROR,
                f"client sent PRIORITY frame for stream {frame.stream} with incorrect dependency",
            )

    def _rst_stream(self, frame: Frame) -> None:
        stream = self.streams.get(frame.stream)
        if stream is not None:
            stream.canceled(wire.word_of(frame.payload))

    def _settings(self, frame: Frame) -> None:
        if frame.flags == wire.ACK:
            self.settings_acknowledged = True
            return
        delta = 0
        for number, value in wire.settings_of(frame.payload):
            if number == wire.INITIAL_WINDOW_SIZE:
                if value > wire.MAX_WINDOW:
                    raise _wrong_setting("INITIAL_WINDOW_SIZE", value, wire.FLOW_CONTROL_ERROR)
                delta = value - self.initial_window
            elif number == wire.MAX_FRAME_SIZE:
                if not wire.DEFAULT_FRAME_SIZE <= value <= wire.LARGEST_FRAME_SIZE:
                    raise _wrong_setting("MAX_FRAME_SIZE", value, wire.PROTOCOL_ERROR)
                self.frame_size = value
            elif number == wire.ENABLE_PUSH and value > 1:
                raise _wrong_setting("ENABLE_PUSH", value, wire.PROTOCOL_ERROR)
        self.reply(wire.SETTINGS_ACK)
        if delta:
            self.initial_window += delta
            for stream in list(self.streams.values()):
                stream.change_window(delta)

    def _ping(self, frame: Frame) -> None:
        self.reply(wire.ping_ack(frame.payload))

    def _window_update(self, frame: Frame) -> None:
        increment = wire.word_of(frame.payload) & wire.MAX_WINDOW
        if not increment:
            raise Http2Error(wire.PROTOCOL_ERROR, "client sent WINDOW_UPDATE frame with incorrect window increment 0")
        if frame.stream:
            stream = self.streams.get(frame.stream)
            if stream is not None:
                stream.widen(increment)
            return
        if increment > wire.MAX_WINDOW - self.send_window:
            raise Http2Error(
                wire.FLOW_CONTROL_ERROR,
                "client violated connection flow control: received WINDOW_UPDATE frame "
                f"with window increment {increment} not allowed for window {self.send_window}",
            )
        self.send_window += increment


def _wrong_setting(name: str, value: int, code: int) -> Http2Error:
    return Http2Error(code, f"client sent SETTINGS frame with incorrect {name} value {value}")


_HANDLERS: Final = {
    wire.DATA: Http2Connection._data,
    wire.HEADERS: Http2Connection._headers,
    wire.PRIORITY: Http2Connection._priority,
    wire.RST_STREAM: Http2Connection._rst_stream,
    wire.SETTINGS: Http2Connection._settings,
    wire.PING: Http2Connection._ping,
    wire.WINDOW_UPDATE: Http2Connection._window_update,
}
