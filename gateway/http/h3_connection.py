"""A client's HTTP/3 connection over QUIC: its control streams, QPACK, and the requests on its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pylsqpack
from aioquic.quic import events
from aioquic.quic.packet import QuicErrorCode

from gateway._fast.errors import QpackError
from gateway._fast.qpack import QpackDecoder
from gateway._fast.stream import Stream
from gateway.core.logs import LEVELS
from gateway.http.client import Client
from gateway.http.h3_head import TOO_LARGE
from gateway.http.h3_stream import Http3Stream
from gateway.http.hq_stream import HqStream
from gateway.protocol.http3_frames import (
    CLOSED_CRITICAL_STREAM,
    EXCESSIVE_LOAD,
    FRAME_UNEXPECTED,
    MISSING_SETTINGS,
    NO_ERROR,
    REQUEST_CANCELLED,
    REQUEST_REJECTED,
    SETTINGS_ERROR,
    STREAM_CREATION_ERROR,
    Http3Error,
    read_varint,
    varint,
)

if TYPE_CHECKING:
    from gateway.http.h3_head import Fields
    from gateway.http.quic_listener import QuicListener

HQ: Final = "hq-interop"
TABLE: Final = 4096
_BLOCKED: Final = 16

_SETTINGS: Final = 4
_CONTROL, _PUSH, _ENCODER, _DECODER = range(4)
_MOST_SETTINGS: Final = 4096
_MOST_UNI: Final = 128  # streams of one direction: it needs three


class QuicStream(Stream):
    """What stands for a socket: there is none of its own. `ssl` says what is known of TLS."""

    def __init__(self, tls: Any) -> None:
        self.ssl = tls


class Http3Connection(Client):
    """`quic` is aioquic's connection, which this drives: bytes in, events out, and its timer."""

    def __init__(self, listener: QuicListener, quic: Any, peer: bytes, source: bytes | None) -> None:
        worker = listener.worker
        listening: Any = listener.listening
        self.source = source
        self.local = listener.local_of(source)
        self.worker = worker
        self.listening = listening
        super().__init__(worker, QuicStream(quic.info), peer, listening, worker.next_connection())
        self.listener = listener
        self.quic = quic
        self.scheme = b"https"
        self.local = listener.local_of(source)
        self.streams: dict[int, Http3Stream] = {}
        self.ids: list[bytes] = []  # under which the listener has it
        self.place = peer
        self.unproved: bool = not quic.proved  # whether the client may be anywhere
        self.last_request = -4
        self.rejected_from = 1 << 62  # what GOAWAY has said
        self.uni: dict[int, bytearray] = {}  # what came of streams of one direction, and was not used
        self.kinds: dict[int, int] = {}
        limits = self.server.limits
        self.decoder = QpackDecoder(
            limits.large_buffer_size, limits.large_buffers * limits.large_buffer_size, TABLE, _BLOCKED
        )
        self.encoder: Any = pylsqpack.Encoder()
        self.settings_received = False
        self.hq = False  # HTTP/0.9 on each stream, and no others
        self.goaway = False
        self.over = False
        self.secured = False
        self.greeted = False
        self.alarm: Any = None
        self.alarm_at = 0.0
        self.dirty = False
        self.idle_timer: Any = self.lane.call_later(self.server.header_timeout, self._idle)
        worker.connections.add(self)

    def log(self, message: str, level: str = "info") -> None:
        context = b", client: %s, server: %s" % (self.remote()[0], self.listening.address.text.encode())
        log = self.server.root.core.error_log
        log.write(LEVELS[level], message.encode("utf-8", "replace"), connection=self.number, context=context)

    # -- events --------------------------------------------------------------------------------------------------

    def arrived(self, data: bytes, peer: bytes) -> None:
        """A datagram for it came."""
        try:
            self.quic.receive_datagram(data, peer, self.lane.fresh())
            place = self.quic.place
            if place is not self.place and place is not None:
                self.place = self.peer = place  # for the requests that begin now
            self._events()
            self.push()
        except Exception as error:
            self.crashed(error)

    def _events(self) -> None:
        while (event := self.quic.next_event()) is not None:
            try:
                self._event(event)
            except Http3Error as error:
                self._fail(error.code, str(error))
        self._close_when_done()

    def _fail(self, code: int, words: str) -> None:
        self.log(words, "error")
        self._transmit()  # what was said before: a close stands alone
        self.quic.close(error_code=code, reason_phrase="stream error")

    def _close_when_done(self) -> None:
        """After GOAWAY: the client has all that it asked for."""
        if self.goaway and not self.streams and not self.over and self.quic.delivered():
            self.quic.close(error_code=NO_ERROR, reason_phrase="connection shutdown")

    def _event(self, event: Any) -> None:
        if isinstance(event, events.StreamDataReceived):
            if event.stream_id & 3 == 2:
                self._control(event.stream_id, event.data, event.end_stream)
            elif event.stream_id & 3 == 0:
                self._request(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, events.StreamReset):
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                stream.canceled(event.error_code)
            elif event.stream_id & 3 == 2:
                self._uni_ends(event.stream_id)
            elif self.quic.begins(event.stream_id):
                self._count(event.stream_id)
                self.quic.reset(event.stream_id, REQUEST_CANCELLED)
                self.unread(event.stream_id)
        elif isinstance(event, events.StopSendingReceived):
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                stream.out_closed = True
                stream.lose()
            elif event.stream_id & 3 == 3:
                raise Http3Error(CLOSED_CRITICAL_STREAM, "client refused a critical stream")
        elif isinstance(event, events.ConnectionIdIssued):
            self.listener.connections[event.connection_id] = self
            self.ids.append(event.connection_id)
        elif isinstance(event, events.ConnectionIdRetired):
            if self.listener.connections.pop(event.connection_id, None) is not None:
                self.ids.remove(event.connection_id)
        elif isinstance(event, events.ProtocolNegotiated):
            if self.quic.tls.early_data_accepted:
                self._greet()  # requests come before the handshake is over
        elif isinstance(event, events.HandshakeCompleted):
            self._secured()
        elif isinstance(event, events.ConnectionTerminated):
            self._end()

    def _secured(self) -> None:
        self.secured = True
        self._is_proved()
        self._set_idle()
        self._greet()

    def _greet(self) -> None:
        """Say how HTTP/3 is spoken here."""
        if self.greeted:
            return
        self.greeted = True
        self.server = self.quic.info.server
        limits = self.server.limits
        self.decoder.field_limit = limits.large_buffer_size
        self.decoder.head_limit = limits.large_buffers * limits.large_buffer_size
        self.hq = self.quic.tls.alpn_negotiated == HQ
        if self.hq:
            return
        settings = varint(1) + varint(TABLE) + varint(7) + varint(_BLOCKED)
        self.quic.send_stream_data(3, b"\x00" + varint(_SETTINGS) + varint(len(settings)) + settings)
        self.quic.send_stream_data(7, b"\x03")

    def _is_proved(self) -> None:
        if self.unproved:
            self.unproved = False
            self.listener.unproved -= 1

    def _request(self, number: int, data: bytes, ended: bool) -> None:
        stream = self.streams.get(number)
        if stream is None:
            if not self.quic.begins(number):
                self.consumed(number, len(data))  # of one that is over
                return
            self._count(number)
            if number >= self.rejected_from:
                self.quic.reset(number, REQUEST_REJECTED)
                self.quic.stop(number, REQUEST_REJECTED)
                return
            stream = self.streams[number] = (HqStream if self.hq else Http3Stream)(self, number)
            self._set_idle()
        stream.receive(data, ended)

    def _count(self, number: int) -> None:
        """A request begins, whatever becomes of it."""
        core = self.server.root.core
        count = number // 4
        self.last_request = max(self.last_request, number)
        if count >= 2 * core.keepalive_requests:
            raise Http3Error(EXCESSIVE_LOAD, "too many requests per connection")
        old = self.lane.fresh() - self.started > core.keepalive_time
        if not self.goaway and (count + 1 >= core.keepalive_requests or old):
            self._say_goaway(number + 4)

    # -- control streams -----------------------------------------------------------------------------------------

    def _control(self, number: int, data: bytes, ended: bool) -> None:
        if self.hq:
            raise Http3Error(STREAM_CREATION_ERROR, "uni stream in hq mode")
        if number // 4 >= _MOST_UNI:
            raise Http3Error(EXCESSIVE_LOAD, "too many streams of one direction")
        buffer = self.uni.setdefault(number, bytearray())
        buffer += data
        kind = self.kinds.get(number)
        if kind is None:
            found = read_varint(buffer, 0)
            if found is None:
                if ended:
                    self._uni_ends(number)
                return
            kind = found[0]
            if kind == _PUSH or (kind <= _DECODER and kind in self.kinds.values()):
                raise Http3Error(STREAM_CREATION_ERROR, "client opened a stream that it must not")
            self.kinds[number] = kind
            self.consumed(number, found[1])
            del buffer[: found[1]]
        if ended:
            self._uni_ends(number)
        if kind == _CONTROL:
            self._control_frames(number, buffer)
            return
        self.consumed(number, len(buffer))
        if kind == _ENCODER and buffer:
            try:
                ready = self.decoder.feed_encoder(bytes(buffer))
            except QpackError as error:
                raise Http3Error(error.code, str(error)) from None
            self._say_of_table()
            for waiting in ready:
                stream = self.streams.get(waiting)
                if stream is not None:
                    fields = self._decoded(waiting, None)
                    if fields is not None:
                        stream.unblocked(fields)
        buffer.clear()

    def _uni_ends(self, number: int) -> None:
        """Its last byte came, or RESET_STREAM."""
        if self.kinds.pop(number, _PUSH) in (_CONTROL, _ENCODER, _DECODER):
            raise Http3Error(CLOSED_CRITICAL_STREAM, "client closed a critical stream")
        self.uni.pop(number, None)

    def _control_frames(self, number: int, buffer: bytearray) -> None:
        while (kind := read_varint(buffer, 0)) is not None and (size := read_varint(buffer, kind[1])) is not None:
            if not self.settings_received and kind[0] != _SETTINGS:
                raise Http3Error(MISSING_SETTINGS, "client sent no settings")
            if (self.settings_received and kind[0] == _SETTINGS) or kind[0] in (0, 1, 2, 5, 6, 8, 9):
                raise Http3Error(FRAME_UNEXPECTED, "unexpected frame on the control stream")
            if size[0] > _MOST_SETTINGS:
                raise Http3Error(EXCESSIVE_LOAD, "client sent too large frame")
            if len(buffer) - size[1] < size[0]:
                return
            payload = bytes(buffer[size[1] : size[1] + size[0]])
            self.consumed(number, size[1] + size[0])
            del buffer[: size[1] + size[0]]
            if kind[0] == _SETTINGS:
                self.settings_received = True
                _check_settings(payload)

    # -- QPACK ---------------------------------------------------------------------------------------------------

    def decode(self, stream: Http3Stream, block: bytes) -> Fields | None:
        """The fields of a block; None: it refers to what has not come yet, and unblocked() will be called."""
        return self._decoded(stream.id, block)

    def _decoded(self, number: int, block: bytes | None) -> Fields | None:
        decoder = self.decoder
        try:
            fields = decoder.resume_header(number) if block is None else decoder.feed_header(number, block)
        except QpackError as error:
            if error.code:
                self.unread(number)
                raise Http3Error(error.code, str(error)) from None
            fields = TOO_LARGE
        self._say_of_table()
        return fields

    def encode(self, number: int, fields: Fields) -> bytes:
        """A block that refers to the static table alone."""
        return self.encoder.encode(number, fields)[1]  # type: ignore[no-any-return]

    # -- what streams ask of QUIC --------------------------------------------------------------------------------

    def give(self, number: int, data: bytes, last: bool) -> None:
        if not self.over:
            self.quic.give(number, data, last)

    def waiting(self, number: int) -> int:
        """Bytes of the stream that were sent to no avail so far, or not at all."""
        return self.quic.waiting(number)  # type: ignore[no-any-return]

    def consumed(self, number: int, count: int) -> None:
        self.quic.consumed(number, count)

    def widen(self, number: int, size: int) -> None:
        self.quic.widen(number, size)

    def reset(self, number: int, code: int) -> None:
        if not self.over:
            self.quic.reset(number, code)

    def stop(self, number: int, code: int) -> None:
        if not self.over:
            self.quic.stop(number, code)
            self.unread(number)

    def unread(self, number: int) -> None:
        """The rest of this stream will not be decoded."""
        if self.hq:
            return
        self.decoder.cancel_stream(number)
        self._say_of_table()

    def _say_of_table(self) -> None:
        """What QPACK's decoder tells the client's encoder."""
        said = self.decoder.take_said()
        if not said:
            return
        self.quic.give(7, said, False)
        if self.waiting(7) > TABLE:
            self._fail(EXCESSIVE_LOAD, "client does not read what is said of its table")

    def ended(self, stream: Http3Stream) -> None:
        if self.streams.pop(stream.id, None) is not None and not self.over:
            self._set_idle()
            self.push()

    def push(self) -> None:
        """Send what there is at the end of this turn."""
        if not self.dirty and not self.over:
            self.dirty = True
            self.lane.call_later(0, self._transmit)

    def _transmit(self) -> None:
        # once for all that came in this turn
        for stream in list(self.streams.values()):
            stream.moved()
        self.dirty = False
        if self.over:
            return
        now = self.lane.fresh()
        ready = self.quic.datagrams_to_send(now)
        if ready:
            self.listener.source.send_all(ready, self.source, self.listener.settings.gso)
        at = self.quic.get_timer()
        if at is None:
            self._events()
            return
        if self.alarm is None or not self.alarm.active or at < self.alarm_at:
            if self.alarm is not None:
                self.alarm.cancel()
            self.alarm_at = at
            self.alarm = self.lane.call_later(max(at - now, 0), self._timer)

    def _timer(self) -> None:
        if self.over:
            return
        now = self.lane.fresh()
        at = self.quic.get_timer()
        if at is not None and now >= at:
            self.quic.handle_timer(now)
            self._events()
        if not self.over:
            self._transmit()

    # -- the end -------------------------------------------------------------------------------------------------

    def _set_idle(self) -> None:
        if not self.secured:
            return  # the handshake's deadline holds, whatever came with 0-RTT
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None
        if not self.streams and not self.over:
            seconds = self.server.root.core.keepalive_timeout
            if not seconds and self.last_request < 0:
                seconds = self.server.header_timeout  # no connection is kept, but it may ask once
            self.idle_timer = self.lane.call_later(seconds, self._idle)

    def _idle(self) -> None:
        self.idle_timer = None
        if not self.secured:
            self.log("client timed out (110: Connection timed out) while SSL handshaking")
        elif not self.goaway:
            self._say_goaway(self.last_request + 4)
            self._transmit()  # ahead of a close
        self.quic.close(error_code=NO_ERROR, reason_phrase="keepalive timeout")
        self.push()

    def _say_goaway(self, number: int) -> None:
        self.goaway = True
        self.rejected_from = number
        if self.greeted and not self.hq:
            last = varint(number)
            self.quic.send_stream_data(3, varint(7) + varint(len(last)) + last)

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        self._is_proved()
        for stream in list(self.streams.values()):
            stream.abort()
        for timer in (self.alarm, self.idle_timer):
            if timer is not None:
                timer.cancel()
        self.listener.forget(self)
        self.worker.connection_closed(self)

    @property
    def closed(self) -> bool:
        return self.over

    @property
    def waits_since(self) -> float:
        return self.started if not self.streams and not self.over else -1.0

    def close(self, reset: bool = False) -> None:
        if not self.over:
            self._close(NO_ERROR, "connection shutdown")

    def _close(self, code: int, words: str, frame_type: int | None = None) -> None:
        """Say so and end; `frame_type`: that of QUIC's own close (RFC 9000, 19.19)."""
        self.quic.close(error_code=code, frame_type=frame_type, reason_phrase=words)
        self._transmit()
        self._end()

    def retire(self) -> None:
        """The worker ends."""
        if not self.secured:
            # as nginx: an error of HTTP/3 cannot be said in a handshake, and this is none
            self._close(QuicErrorCode.NO_ERROR, "graceful shutdown", frame_type=0)
            return
        if not self.goaway:
            self._say_goaway(self.last_request + 4)
            self._transmit()  # ahead of a close
        self._close_when_done()
        self.push()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        self.close()


def _check_settings(payload: bytes) -> None:
    at = 0
    while at < len(payload):
        name = read_varint(payload, at)
        value = read_varint(payload, name[1]) if name is not None else None
        if name is None or value is None or name[0] in (2, 3, 4, 5):
            raise Http3Error(SETTINGS_ERROR, "client sent invalid settings")
        at = value[1]
