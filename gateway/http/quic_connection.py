"""aioquic's connection as a server has it here.

What aioquic lacks: an id that tells its worker, windows that widen only as requests are read, and limits of what a
client can make it keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aioquic import tls
from aioquic.quic.connection import QuicConnection, QuicConnectionError
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.quic.packet_builder import QuicDeliveryState

from gateway.http.quic_receiver import Receiver
from gateway.http.quic_siblings import tagged
from gateway.http.quic_tls import Context, TlsInfo

if TYPE_CHECKING:
    from gateway.http.quic_listener import QuicListener
    from gateway.http.servers import Server

UNI: Final = 3  # control and QPACK's two
_MOST_CRYPTO: Final = 65536  # bytes of TLS's messages; nginx keeps as many


class NoLog:
    """aioquic's words are for who develops it: a call of logging costs, also when nobody listens."""

    def debug(self, *words: object) -> None:
        pass

    info = warning = debug


_NO_LOG: Final = NoLog()


@dataclass(slots=True)
class Begin:
    """How a client begins: with which id, or which other one from Retry; whether a token proves where it is."""

    original: bytes
    retried: bytes | None = None
    proved: bool = False


class ServerConnection(QuicConnection):  # type: ignore[misc]
    """aioquic's connection as a server's: certificate by SNI, windows that follow who reads."""

    def __init__(self, listener: QuicListener, peer: bytes, source: bytes | None, begin: Begin) -> None:
        super().__init__(
            configuration=listener.configuration,
            original_destination_connection_id=begin.original,
            retry_source_connection_id=begin.retried,
        )
        settings = listener.settings
        self.local = listener.local_of(source)
        self.first_server: Server = listener.listening.servers_for(self).default
        self.proved = begin.proved
        self.seen = listener.seen
        self._tokens = listener.settings.tokens
        # what the client shows when it comes back (as nginx, only where it has to)
        self._new_token: bytes = self._tokens.for_later(peer) if settings.retry else b""
        self._begun: set[int] = set()
        self.info = TlsInfo(listener.listening, self)
        self._window = settings.buffer_size
        self._used: dict[int, int] = {}  # by stream: how much of it was read
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = settings.streams
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = UNI
        self._local_active_connection_id_limit = settings.id_limit

        self._logger = self._loss._logger = _NO_LOG
        self._tag(self._host_cids[0])
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid

    def _tag(self, connection_id: Any) -> None:
        """Say in the id whose it is."""
        connection_id.cid = tagged(connection_id.cid)
        connection_id.stateless_reset_token = self._tokens.for_reset(connection_id.cid)

    def _replenish_connection_ids(self) -> None:
        before = len(self._host_cids)
        super()._replenish_connection_ids()
        for connection_id in self._host_cids[before:]:
            self._tag(connection_id)

    @property
    def place(self) -> Any:
        """Where the client is known to be; None as long as it may be elsewhere (RFC 9000, 9.3)."""
        paths = self._network_paths
        return paths[0].addr if paths and paths[0].is_validated else None

    def local_address(self) -> tuple[bytes, int]:
        return self.local

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        # there is no hook for the class of the context
        self.tls.__class__ = Context
        self.tls.info = self.info
        self.tls.update_traffic_key_cb = self.tls.keys_of_traffic
        for stream in self._crypto_streams.values():
            stream.receiver = Receiver(None, _MOST_CRYPTO)

    # -- what a client may make it keep

    def _find_network_path(self, addr: Any) -> Any:
        path = super()._find_network_path(addr)
        if self.proved and not self._network_paths:
            path.is_validated = True
        return path

    def _write_handshake_done_frame(self, builder: Any) -> None:
        super()._write_handshake_done_frame(builder)
        if self._new_token:
            token, self._new_token = self._new_token, b""
            buf = builder.start_frame(QuicFrameType.NEW_TOKEN, capacity=2 + len(token))
            buf.push_uint_var(len(token))
            buf.push_bytes(token)

    def _write_crypto_frame(self, builder: Any, space: Any, stream: Any) -> bool:
        """After the handshake it is a ticket, which is not sent again: who does not get it begins anew."""
        done = bool(super()._write_crypto_frame(builder, space, stream))
        if done and stream is self._crypto_streams[tls.Epoch.ONE_RTT]:
            packet = builder._packet
            packet.is_crypto_packet = False
            _, (start, stop, last) = packet.delivery_handlers.pop()
            stream.sender.on_data_delivery(QuicDeliveryState.ACKED, start, stop, last)
        return done

    def _handle_crypto_frame(self, context: Any, frame_type: int, buf: Any) -> None:
        at = buf.tell()
        end = buf.pull_uint_var() + buf.pull_uint_var()
        buf.seek(at)
        if end > _MOST_CRYPTO:
            raise QuicConnectionError(
                error_code=QuicErrorCode.CRYPTO_BUFFER_EXCEEDED,
                frame_type=frame_type,
                reason_phrase="too long messages of TLS",
            )
        super()._handle_crypto_frame(context, frame_type, buf)

    def _get_or_create_stream(self, frame_type: int, stream_id: int) -> Any:
        stream = super()._get_or_create_stream(frame_type, stream_id)
        if type(stream.receiver) is not Receiver and not stream.receiver.is_finished:
            stream.receiver = Receiver(stream_id, self._window)
        return stream

    # -- windows: aioquic's own double with what was received, read or not

    def consumed(self, number: int, count: int) -> None:
        """So much of what came of this stream is done with."""
        if number in self._streams:
            self._used[number] = self._used.get(number, 0) + count
            if len(self._used) > 2 * len(self._streams) + 16:  # those of streams that are gone
                self._used = {stream: used for stream, used in self._used.items() if stream in self._streams}

    def widen(self, number: int, size: int) -> None:
        """Let all of a frame in that is larger than the window."""
        stream = self._streams.get(number)
        if stream is not None:
            wanted = self._used.get(number, 0) + size
            stream.max_stream_data_local = max(stream.max_stream_data_local, wanted)

    def _write_stream_limits(self, builder: Any, space: Any, stream: Any) -> None:
        if not stream.max_stream_data_local or stream.receiver.is_finished:
            return
        limit = self._used.get(stream.stream_id, 0) + self._window
        if 2 * (limit - stream.max_stream_data_local) >= self._window:
            stream.max_stream_data_local = limit
        if stream.max_stream_data_local_sent != stream.max_stream_data_local:
            buf = builder.start_frame(
                QuicFrameType.MAX_STREAM_DATA,
                capacity=17,
                handler=self._on_max_stream_data_delivery,
                handler_args=(stream,),
            )
            buf.push_uint_var(stream.stream_id)
            buf.push_uint_var(stream.max_stream_data_local)
            stream.max_stream_data_local_sent = stream.max_stream_data_local

    def _write_connection_limits(self, builder: Any, space: Any) -> None:
        limit = self._local_max_data
        all_windows = self.configuration.max_data
        if 2 * (limit.used + all_windows - limit.value) >= all_windows:
            limit.value = limit.used + all_windows
        used, limit.used = limit.used, 0  # nothing for it to double
        try:
            super()._write_connection_limits(builder, space)
        finally:
            limit.used = used

    # -- streams

    def begins(self, number: int) -> bool:
        """Whether nobody has heard of this stream so far."""
        begun, streams = self._begun, self._streams
        if number in begun or number not in streams:
            return False
        begun.add(number)
        if len(begun) > 2 * len(streams) + 16:  # those that are gone do not come back
            begun.intersection_update(streams)
        return True

    def give(self, number: int, data: bytes, last: bool) -> None:
        stream = self._streams.get(number)
        if stream is not None and stream.sender._reset_error_code is None and stream.sender._buffer_fin is None:
            self.send_stream_data(number, data, last)

    def waiting(self, number: int) -> int:
        stream = self._streams.get(number)
        return len(stream.sender._buffer) if stream is not None else 0

    def delivered(self) -> bool:
        """Whether the client has acknowledged all of its answers."""
        return not any(stream.sender._buffer for number, stream in self._streams.items() if number & 3 == 0)

    def reset(self, number: int, code: int) -> None:
        if number in self._streams:
            self.reset_stream(number, code)

    def stop(self, number: int, code: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and not stream.receiver.is_finished:
            self.stop_stream(number, code)
