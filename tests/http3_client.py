"""aioquic's own client, driven over a socket: what the tests of HTTP/3 ask with."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, ClassVar

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, StreamReset


class Http3Client:
    """One connection; blocking, each wait is bounded."""

    alpn: ClassVar = ["h3"]

    def __init__(
        self, port: int, name: str = "localhost", within_s: float = 10.0, ticket: Any = None, token: bytes = b""
    ) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.until = time.monotonic() + within_s
        settings = QuicConfiguration(
            is_client=True,
            alpn_protocols=self.alpn,
            verify_mode=ssl.CERT_NONE,
            server_name=name,
            session_ticket=ticket,
            token=token,
        )
        self.tickets: list[Any] = []
        self.tokens: list[bytes] = []
        self.quic: Any = QuicConnection(
            configuration=settings,
            session_ticket_handler=self.tickets.append,
            token_handler=self.tokens.append,
        )
        self.quic.connect(("127.0.0.1", port), now=time.monotonic())
        self.http = self.protocol()
        self.closed: Any = None
        self.answers: dict[int, tuple[dict[bytes, bytes], bytearray]] = {}
        self.fields: dict[int, list[tuple[bytes, bytes]]] = {}  # of the head, in their order
        self.whole: set[int] = set()
        self.broken: set[int] = set()  # streams that were reset

    def protocol(self) -> Any:
        """What is spoken over QUIC."""
        return H3Connection(self.quic)

    def step(self) -> None:
        now = time.monotonic()
        assert now < self.until, "the server does not answer"
        for data, _ in self.quic.datagrams_to_send(now):
            self.socket.send(data)
        timer = self.quic.get_timer() or now + 1
        self.socket.settimeout(max(min(timer - now, 1.0), 0.001))
        try:
            self.quic.receive_datagram(self.socket.recv(65536), ("127.0.0.1", self.socket.getpeername()[1]), now)
        except TimeoutError:
            self.quic.handle_timer(time.monotonic())
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self.closed = event
            elif isinstance(event, StreamReset):
                self.broken.add(event.stream_id)
            for found in self.http.handle_event(event):
                if isinstance(found, HeadersReceived):
                    if dict(found.headers).get(b":status", b"1") >= b"2":  # neither early hints nor trailers
                        self.fields[found.stream_id] = found.headers
                    self.answers[found.stream_id] = dict(found.headers), bytearray()
                elif isinstance(found, DataReceived):
                    self.answers[found.stream_id][1].extend(found.data)
                if found.stream_ended:
                    self.whole.add(found.stream_id)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, host: str = "localhost"
    ) -> tuple[int, bytes]:
        """A status and the body of the answer."""
        number = self.begin(path, method, body, host)
        while number not in self.whole:
            assert self.closed is None, self.closed
            self.step()
        head, text = self.answers[number]
        return int(head[b":status"]), bytes(text)

    def begin(self, path: str, method: str = "GET", body: bytes | None = None, host: str = "localhost") -> int:
        """Send a request; the number of its stream."""
        number: int = self.quic.get_next_available_stream_id()
        fields = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", host.encode()),
            (b":path", path.encode()),
        ]
        self.http.send_headers(number, fields, end_stream=body is None)
        if body is not None:
            self.http.send_data(number, body, True)
        return number

    def close(self) -> None:
        self.quic.close()
        for data, _ in self.quic.datagrams_to_send(time.monotonic()):
            self.socket.send(data)
        self.socket.close()
