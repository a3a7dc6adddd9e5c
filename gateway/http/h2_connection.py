"""A client's HTTP/2 connection: its frames, its windows and its streams, each of which serves one request.

What is written while frames are read leaves in one go when all of them are, so that many streams share a system call.
DATA leaves stream by stream, one frame each in turn, and only as far as the socket takes it soon: what waits, waits in
its stream, where a reset can drop it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.errors import Http2Error
from gateway._fast.hpack import Decoder
from gateway._fast.http2_reader import (
    BLOCK_BEGINS,
    BLOCK_ENDS,
    DATA,
    NOTHING,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    WINDOW_UPDATE,
    FrameReader,
)
from gateway._fast.http2_writer import FrameWriter
from gateway.core.logs import LEVELS
from gateway.http.client import Client
from gateway.http.h2_deadlines import Deadlines
from gateway.http.h2_floods import Floods
from gateway.http.h2_settings import DEFAULT
from gateway.http.h2_stream import Http2Stream
from gateway.http.h2_turns import Turns
from gateway.http.h2_windows import Windows
from gateway.http.lingering import Lingering
from gateway.http.module import Count
from gateway.protocol import http2_frames as wire
from gateway.serving.worker import crash_text

if TYPE_CHECKING:
    from gateway.http.h2_settings import Http2Settings
    from gateway.http.settings import EngineSettings

# What may be queued on the socket before streams have to wait for it.
_ENOUGH: Final = 64 * 1024
# More is put on the socket's queue as it is, instead of being copied among the frames.
_COPIED: Final = 4096

_FRAME_HEAD: Final = wire.FRAME_HEAD
_NO_ERROR: Final = wire.NO_ERROR
_PROTOCOL_ERROR: Final = wire.PROTOCOL_ERROR
_REFUSED_STREAM: Final = wire.REFUSED_STREAM
_MAX_WINDOW: Final = wire.MAX_WINDOW
_DEFAULT_WINDOW: Final = wire.DEFAULT_WINDOW


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
        self.core: EngineSettings = self.server.root.core
        settings: Http2Settings = self.server.http2_settings or DEFAULT
        self.concurrent_streams = settings.concurrent_streams
        self.preread_size = settings.preread_size
        limits = self.server.limits
        head_limit = limits.large_buffers * limits.large_buffer_size
        self.reader = FrameReader(Decoder(limits.large_buffer_size, head_limit))
        self.out = FrameWriter()  # what the socket was not given yet
        self.windows = Windows()
        self.floods = Floods(self.concurrent_streams, self.core.keepalive_requests)
        self.streams: dict[int, Http2Stream] = {}
        self.turns = Turns(self.streams)
        self.ending: list[Http2Stream] = []  # those whose last frame is written, in the order in which it was
        self.moved: list[Http2Stream] = []  # sent or received something in this event
        self.block: Http2Stream | None = None  # the stream whose fields are being read
        self.last_stream = 0
        self.frame_size = wire.DEFAULT_FRAME_SIZE
        self.settings_acknowledged = False
        self.table_update = False  # the next block of fields has to say that ours is empty
        self.goaway = False  # said: no stream begins any more
        self.over = False  # nothing is read any more; it closes with its last stream
        self.failed = False  # nothing can be sent any more
        self.blocked = False  # in an event: what is written leaves at its end
        self.begun = False  # the first event is over
        self.deadlines = Deadlines(self.lane.fresh() + self.server.header_timeout)
        tcp = self.stream
        tcp.handler = self.on_event
        tcp.on_deadline = self.on_deadline
        tcp.on_crash = self
        self.worker.connections.add(self)
        if self.core.tcp_nodelay:
            tcp.nodelay()
        self.out.put(settings.greeting())
        self.out.window_update(0, _MAX_WINDOW - _DEFAULT_WINDOW)
        if self.worker.exiting:
            self.finalize(_NO_ERROR)
            return
        self._event(data)

    def log(self, message: str, level: str = "info") -> None:
        """A line about the connection; those about a request have its context."""
        context = b" while processing HTTP/2 connection, client: %s, server: %s" % (
            self.remote()[0],
            self.listening.address.text.encode(),
        )
        log = self.core.error_log
        log.write(LEVELS[level], message.encode("utf-8", "surrogateescape"), connection=self.number, context=context)

    # -- events --------------------------------------------------------------------------------------------------

    def on_event(self) -> None:
        """The lane's call: something was received, sent, or the peer is gone."""
        self._event(None)

    def _event(self, data: bytes | None) -> None:
        if self.blocked or self.stream.fd < 0:
            return
        self.blocked = True
        try:
            self.floods.event(not self.streams and self.begun and not self.reader.incomplete())
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
                if self.streams or self.reader.incomplete():
                    self.log("client prematurely closed connection")
                self.failed = True
                self._finalize(_NO_ERROR)
                return
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        reader = self.reader
        reader.feed(data)
        while not self.over:
            event = reader.next()
            if event == NOTHING:
                break
            if event == BLOCK_BEGINS:
                self._block_begins()
            elif event == BLOCK_ENDS:
                self._block_ends()
            elif event == DATA:
                self._data()
            elif event == WINDOW_UPDATE:
                self._window_update()
            elif event == RST_STREAM:
                stream = self.streams.get(reader.stream)
                if stream is not None:
                    stream.canceled(reader.value)
            elif event == SETTINGS:
                self._settings()
            elif event == SETTINGS_ACK:
                self.settings_acknowledged = True
            elif event == PING:
                self.floods.answers += 1
                self.out.ping_ack(reader.part())
            elif event == PRIORITY:
                self.floods.priority()
                self.turns.priority(reader.stream, reader.depends_on, reader.exclusive, reader.weight)
            else:
                self.log(f"client sent frame with unknown type {reader.value}")
            if self.floods.too_many_answers():
                self.failed = True  # there is no use in a GOAWAY behind all that
                raise Http2Error(_NO_ERROR, "http2 flood detected")
        self.floods.received(len(data))

    def on_deadline(self) -> None:
        """The sweep's call: some deadline has passed; which one is to be found."""
        now = self.lane.fresh()
        deadlines = self.deadlines
        if deadlines.stalled and deadlines.stalled <= now:
            self.failed = True
            self._finalize(_NO_ERROR)
        elif deadlines.idle and deadlines.idle <= now:
            code = _NO_ERROR
            if self.reader.incomplete():
                self.log("client timed out (110: Connection timed out)")
                code = _PROTOCOL_ERROR
            self._finalize(code)
        elif self.block is not None and deadlines.block and deadlines.block <= now:
            self.log("client timed out (110: Connection timed out)")
            late, self.block = self.block, None  # what is to come of its fields is read for the table alone
            self.streams[late.id] = late
            late.head_is_late()
        for stream in deadlines.take_late(now):
            stream.timed_out()
        self.push()

    # -- output --------------------------------------------------------------------------------------------------

    def room(self) -> bool:
        """Whether the socket takes more soon."""
        return self.stream.pending + self.out.waiting() < _ENOUGH

    def write_data(self, data: bytes) -> None:
        """The payload of the DATA frame whose head was written last."""
        if len(data) <= _COPIED:
            self.out.put(data)
            return
        tcp = self.stream
        head = self.out.take()
        tcp.write(head)
        tcp.write(data)
        self.floods.total_bytes += len(head) + len(data)

    def write_block(self, number: Count, block: bytes, flags: Count) -> Count:
        """Fields in a frame of HEADERS, or more; how many bytes that takes."""
        out = self.out
        if self.table_update:
            self.table_update = False
            block = b"\x20" + block
        before = out.waiting()
        out.headers(number, block, flags, self.frame_size)
        size = out.waiting() - before
        self.floods.payload_bytes += size - _FRAME_HEAD
        return size

    def ends(self, stream: Http2Stream) -> None:
        """The stream's last frame was written."""
        stream.end_at = self.stream.sent + self.stream.pending + self.out.waiting()
        self.ending.append(stream)

    def reset(self, number: Count, code: Count) -> None:
        self.floods.answers += 1
        self.out.rst_stream(number, code)

    def update_window(self, number: Count, increment: Count) -> None:
        self.floods.answers += 1
        self.out.window_update(number, increment)

    def push(self) -> None:
        """Send what can be sent, end the requests that are complete, and see what becomes of the connection."""
        tcp = self.stream
        if self.blocked or tcp.fd < 0:
            return
        self.blocked = True
        try:
            while not self.failed:
                wrote = self._take_turns()
                before = tcp.sent
                if self.out.waiting():
                    data = self.out.take()
                    self.floods.total_bytes += len(data)
                    tcp.send(data)
                elif tcp.pending:
                    tcp.flush()
                if tcp.error:
                    self.failed = True
                    self._finalize(_NO_ERROR)
                    break
                self.floods.sent(tcp.pending)
                if not tcp.pending:
                    self.deadlines.stalled = 0.0
                elif tcp.sent > before or not self.deadlines.stalled:
                    self.deadlines.stalled = self.lane.fresh() + self.core.send_timeout
                waiting = tcp.pending
                ended = bool(self.ending) and self._complete()
                if waiting or not (wrote or ended):
                    break
        finally:
            self.blocked = False
        if self.moved:
            moved, self.moved = self.moved, []
            for stream in moved:
                stream.in_moved = False
                stream.tell()
        self._settle()

    def _take_turns(self) -> bool:
        """One DATA frame of each stream in turn, while the socket has room; whether there was any."""
        turns = self.turns
        wrote = False
        while turns.waiting and self.windows.send > 0 and self.room():
            stream = turns.next()
            if stream.send_frame():
                turns.want(stream)
            wrote = True
        return wrote

    def _complete(self) -> bool:
        """End the streams whose last frame is with the kernel; whether there were any."""
        sent = self.stream.sent
        ending = self.ending
        count = 0
        while count < len(ending) and ending[count].end_at <= sent:
            count += 1
        if not count:
            return False
        done, self.ending = ending[:count], ending[count:]
        for stream in done:
            stream.complete()
        return True

    def _settle(self) -> None:
        """After an event: idle now, or at its end, or waiting for something."""
        tcp = self.stream
        if tcp.fd < 0:
            return
        deadlines = self.deadlines
        if not self.streams:
            if self.over or self.failed or self.goaway:
                self._end()
                return
            if not deadlines.idle and not tcp.pending:
                deadlines.idle = self.lane.fresh() + self.core.keepalive_timeout
        if self.block is None:
            deadlines.block = 0.0
        elif not deadlines.block:
            deadlines.block = self.lane.fresh() + self.server.header_timeout
            deadlines.idle = 0.0
        tcp.set_deadline(deadlines.first())

    # -- the end -------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self.stream.fd < 0

    @property
    def idle(self) -> bool:
        return not self.streams and not self.reader.incomplete()

    @property
    def waits_since(self) -> float:
        if self.stream.fd < 0:
            return -1.0
        if self.over:
            return self.stream.deadline - self.core.lingering_timeout
        idle = self.deadlines.idle
        return idle - self.core.keepalive_timeout if self.idle and idle else -1.0

    def reuse(self) -> None:
        """worker_connections run short: the client is told, as long as it did not know."""
        if self.over:
            self.close()
        else:
            self.finalize(_NO_ERROR)

    def say_goaway(self, code: Count) -> None:
        if not self.goaway and not self.failed:
            self.goaway = self.reader.refusing = True
            self.out.goaway(self.last_stream, code)

    def _finalize(self, code: Count) -> None:
        """No frame is read any more; streams learn that their client is gone, and the connection ends with them."""
        self.say_goaway(code)
        self.over = True
        self.deadlines.idle = 0.0
        self.block = None
        self.turns.waiting.clear()
        for stream in list(self.streams.values()):
            stream.lose()

    def finalize(self, code: Count) -> None:
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
        if self.stream.fd < 0:
            return
        self.stream.close(reset and self.core.reset_timedout_connection)
        self.worker.connection_closed(self)

    def retire(self) -> None:
        """The worker ends: the client is told, streams that have begun are served."""
        if not self.streams:
            self.finalize(_NO_ERROR)
        else:
            self.say_goaway(_NO_ERROR)
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

    def _data(self) -> None:
        reader = self.reader
        wider = self.windows.take_in(reader.size)
        if wider:
            self.update_window(0, wider)
        stream = self.streams.get(reader.stream)
        if stream is not None:
            stream.receive(reader)

    def _block_begins(self) -> None:
        """HEADERS: a stream begins, or is refused, before its fields are read."""
        reader = self.reader
        number = self.last_stream = reader.stream
        early = not self.settings_acknowledged and not reader.ends and self.preread_size < _DEFAULT_WINDOW
        refusal = self.floods.refusal(len(self.streams), early)
        if refusal:
            self.log(refusal)
            self.floods.refused()
            self.reset(number, _REFUSED_STREAM)
            return
        self.floods.stream_begins()
        self.deadlines.idle = 0.0
        self.requests += 1
        stream = self.block = Http2Stream.__new__(Http2Stream)  # what is called by name costs much more
        stream.open_on(self, number, reader.ends)
        self.turns.begins(stream, reader.depends_on, reader.exclusive, reader.weight if reader.prioritized else 0)
        core = self.core
        if (
            not core.keepalive_timeout
            or self.requests >= core.keepalive_requests
            or self.lane.now - self.started > core.keepalive_time
        ):
            self.say_goaway(_NO_ERROR)

    def _block_ends(self) -> None:
        stream = self.block
        if stream is not None:
            self.block = None
            self.streams[stream.id] = stream
            stream.begin(self.reader)

    def _settings(self) -> None:
        reader = self.reader
        if reader.frame_size > 0:
            self.frame_size = reader.frame_size
        if reader.table_changed:
            self.table_update = True
        self.floods.answers += 1
        self.out.settings_ack()
        if reader.window >= 0:
            self.windows.begin_with(reader.window, self.streams)

    def _window_update(self) -> None:
        reader = self.reader
        increment = reader.value
        if reader.stream:
            stream = self.streams.get(reader.stream)
            if stream is not None:
                stream.widen(increment)
        else:
            self.windows.widen(increment)
