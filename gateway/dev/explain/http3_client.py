"""explain's client where HTTP/3 is spoken: aioquic's, whose packets go to the engine's own listener and nowhere else.

Loaded where a `listen … quic` is asked.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import pylsqpack
import trio
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from gateway.http.quic_listener import QuicListener
from gateway.protocol.http3_frames import DATA, HEADERS, read_varint, varint
from gateway.upstream.exchange.http2_whole import OF_HTTP1

if TYPE_CHECKING:
    import socket

    from gateway._fast.datagrams import Datagrams
    from gateway.dev.explain.question import Question
    from gateway.http.listening import HttpListening
    from gateway.serving.worker import Worker

_STREAM: Final = 0  # of the request
_CONTROL: Final = 2
_SETTINGS: Final = b"\x04\x00"  # none of them: no table for QPACK
_SERVER: Final = ("127.0.0.1", 443)  # for aioquic, which compares it and no more


class Listener(QuicListener):
    """A worker's listener that hears one client, at the other end of a pair of sockets, whatever its address is."""

    def __init__(self, worker: Worker, fd: int, listening: HttpListening, peer: bytes, source: bytes | None) -> None:
        self.peer = peer
        self.client = source  # the local address that its datagrams are sent to
        self.sent: list[bytes] = []
        self.sends = trio.Event()
        super().__init__(worker, fd, listening)

    def connect(self, fd: int) -> None:
        from gateway._fast.datagrams import Datagrams

        self.comes: Datagrams = Datagrams(self.worker.lane, fd, self._came, self.failed)
        self.source = self
        self.siblings = _Nobody()

    def _came(self, data: bytes, _peer: bytes, _source: bytes | None) -> None:
        self.arrived(data, self.peer, self.client)

    # -- what a socket of datagrams is asked for

    def send(self, data: bytes, peer: bytes, source: bytes | None = None) -> None:
        self.sent.append(data)
        self.sends.set()

    def send_all(
        self, datagrams: list[tuple[bytes, bytes]], source: bytes | None = None, segments: bool = False
    ) -> None:
        self.sent += [data for data, _ in datagrams]
        self.sends.set()

    def pause(self) -> None:
        """Nothing comes that was not asked for."""


class _Nobody:
    """There are no other workers."""

    def pass_on(self, *_packet: object) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


class Http3Answer:
    """Bytes of the request's stream in, and the answer as HTTP/1 would have its head."""

    def __init__(self) -> None:
        self.head = b""  # of the final answer, once it is here
        self._buffer = b""
        self._decoder: Any = pylsqpack.Decoder(0, 0)

    def feed(self, data: bytes) -> None:
        buffer = self._buffer + data
        at = 0
        while (kind := read_varint(buffer, at)) is not None and (size := read_varint(buffer, kind[1])) is not None:
            end = size[1] + size[0]
            if end > len(buffer):
                break
            if kind[0] == HEADERS and not self.head:
                self._fields(buffer[size[1] : end])
            at = end
        self._buffer = buffer[at:]

    def _fields(self, block: bytes) -> None:
        fields = self._decoder.feed_header(_STREAM, block)[1]
        status = next((value for name, value in fields if name == b":status"), b"")
        if status.startswith(b"1") or not status:
            return  # what comes before the answer
        lines = [b"HTTP/3 " + status]
        lines += [name + b": " + value for name, value in fields if not name.startswith(b":")]
        self.head = b"\r\n".join(lines)


class Http3Client:
    """One connection with one request; `answer` has what came, `refused` why nothing does."""

    def __init__(self, question: Question, listener: Listener) -> None:
        self.answer = Http3Answer()
        self.refused = ""
        self._question = question
        self._listener = listener
        name = question.host.strip("[]") or "localhost"
        settings = QuicConfiguration(is_client=True, alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE, server_name=name)
        self._quic: Any = QuicConnection(configuration=settings)
        self._quic.connect(_SERVER, now=time.monotonic())

    async def run(self, ours: socket.socket, told: trio.Event) -> None:
        """Ask, and take what comes for as long as nobody cancels it; `told` is set with the answer's head."""
        with trio.socket.from_stdlib_socket(ours) as link:
            while not self.refused:
                for data, _ in self._quic.datagrams_to_send(time.monotonic()):
                    await link.send(data)
                timer = self._quic.get_timer()
                with trio.move_on_after(max(timer - time.monotonic(), 0) if timer is not None else 1.0):
                    await self._listener.sends.wait()
                self._take()
                if self.answer.head:
                    told.set()

    def _take(self) -> None:
        listener = self._listener
        came, listener.sent, listener.sends = listener.sent, [], trio.Event()
        now = time.monotonic()
        for data in came:
            self._quic.receive_datagram(data, _SERVER, now)
        timer = self._quic.get_timer()
        if timer is not None and timer <= now:
            self._quic.handle_timer(now)
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, events.HandshakeCompleted):
                self._ask()
            elif isinstance(event, events.StreamDataReceived) and event.stream_id == _STREAM:
                self.answer.feed(event.data)
            elif isinstance(event, events.StreamReset) and not self.answer.head:
                self.refused = f"the stream is reset, error {event.error_code:#x}"
            elif isinstance(event, events.ConnectionTerminated) and not self.answer.head:
                why = f" ({event.reason_phrase})" if event.reason_phrase else ""
                self.refused = f"the connection is closed, error {event.error_code:#x}{why}"

    def _ask(self) -> None:
        question = self._question
        fields = question.all_fields()
        host = next(value for name, value in fields if name.lower() == "host")
        head = [(":method", question.method), (":scheme", "https"), (":authority", host), (":path", question.target)]
        head += [(name.lower(), value) for name, value in fields if name.lower() not in OF_HTTP1]
        encoder: Any = pylsqpack.Encoder()
        block = encoder.encode(_STREAM, [(_bytes(name), _bytes(value)) for name, value in head])[1]
        pieces = list(question.body_in_http2())
        quic = self._quic
        quic.send_stream_data(_CONTROL, b"\x00" + _SETTINGS)
        ends = not pieces and not question.cut
        assert quic.get_next_available_stream_id() == _STREAM
        quic.send_stream_data(_STREAM, varint(HEADERS) + varint(len(block)) + block, ends)
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces) and not question.cut
            quic.send_stream_data(_STREAM, varint(DATA) + varint(len(piece)) + piece, last)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
