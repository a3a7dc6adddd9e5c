"""A client of QUIC that sends what it likes: packets without a connection, and frames that no client would send."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from typing import Any

from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.events import PingAcknowledged, StreamDataReceived
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import Epoch

from tests.http3_client import Http3Client

number: Callable[[int], bytes] = encode_uint_var
ADDRESS = ("127.0.0.1", 443)
SETTINGS = QuicConfiguration(
    is_client=True,
    alpn_protocols=["h3"],
    verify_mode=ssl.CERT_NONE,
    server_name="localhost",
    supported_versions=[QuicProtocolVersion.VERSION_1],
)


def initial() -> bytes:
    """The first datagram of a client that is not heard of again."""
    client = QuicConnection(configuration=SETTINGS)
    client.connect(ADDRESS, now=0.0)
    return bytes(client.datagrams_to_send(0.0)[0][0])


def long_header(version: int, kind: int = 0, id_size: int = 8) -> bytes:
    """A datagram of 1200 bytes that looks like one with which a connection begins, of noise."""
    head = bytes((0xC0 | kind << 4,)) + version.to_bytes(4, "big")
    head += bytes((id_size,)) + os.urandom(id_size) + b"\x08" + os.urandom(8)
    if kind == 0:
        head += b"\x00"
    rest = 1200 - len(head) - 2
    return head + (0x4000 | rest).to_bytes(2, "big") + os.urandom(rest)


def stream(at: int, data: bytes, offset: int = 0, *, last: bool = False) -> bytes:
    """A STREAM frame."""
    return number(0x0E | last) + number(at) + number(offset) + number(len(data)) + data


def crypto(data: bytes, offset: int = 0) -> bytes:
    return b"\x06" + number(offset) + number(len(data)) + data


def reset(at: int, size: int = 0) -> bytes:
    """RESET_STREAM, of one of which so much was sent."""
    return b"\x04" + number(at) + number(0x10C) + number(size)


def stop(at: int) -> bytes:
    return b"\x05" + number(at) + number(0x10C)


def packet(client: Any, frames: bytes) -> bytes:
    """A packet of an open connection of aioquic, which does not know of it."""
    at = client._packet_number
    client._packet_number += 1
    head = b"\x41" + bytes(client._peer_cid.cid) + (at & 0xFFFF).to_bytes(2, "big")
    return bytes(client._cryptos[Epoch.ONE_RTT].encrypt_packet(head, frames.ljust(4, b"\x00"), at))


class SlowHello:
    """A client whose ClientHello comes in pieces of one byte, and is to be as long as can be said."""

    def __init__(self, size: int = 1) -> None:
        self.cid = os.urandom(8)
        self.size = size
        self.keys = CryptoPair()
        self.keys.setup_initial(cid=self.cid, is_client=True, version=1)
        self.count = 0

    def next(self) -> bytes:
        """Its next datagram."""
        at, self.count = self.count, self.count + 1
        hello = b"\x01\xff\xff\xff"[at * self.size : at * self.size + self.size].ljust(self.size, b"\x00")
        payload = crypto(hello, at * self.size).ljust(1170, b"\x00")
        head = b"\xc1" + (1).to_bytes(4, "big") + bytes((len(self.cid),)) + self.cid + b"\x00\x00"
        head += number(2 + len(payload) + 16) + at.to_bytes(2, "big")
        return bytes(self.keys.encrypt_packet(head, payload, at))


class Attacker(Http3Client):
    """An open connection, on which nothing was said so far."""

    def __init__(self, port: int, within_s: float = 60.0) -> None:
        self.seen: set[int] = set()  # streams of which something came
        self.got: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.acknowledged = 0
        super().__init__(port, within_s=within_s)
        while not self.quic._handshake_confirmed:
            self.step()

    def protocol(self) -> Any:
        return self

    def handle_event(self, event: Any) -> list[Any]:
        if isinstance(event, StreamDataReceived):
            self.seen.add(event.stream_id)
            self.got.setdefault(event.stream_id, bytearray()).extend(event.data)
            if event.end_stream:
                self.ended.add(event.stream_id)
        self.acknowledged += isinstance(event, PingAcknowledged)
        return []

    def frames(self, frames: bytes) -> None:
        """Send these in a packet of their own."""
        self.socket.send(packet(self.quic, frames))

    def open(self, *, uni: bool = False) -> int | None:
        """The number of a new stream, unless there are as many as may be."""
        most = self.quic._remote_max_streams_uni if uni else self.quic._remote_max_streams_bidi
        at: int = self.quic.get_next_available_stream_id(is_unidirectional=uni)
        if at // 4 >= most:
            return None
        self.quic._get_or_create_stream_for_send(at)
        return at

    def ping(self) -> None:
        """Until the server has answered what was sent before."""
        self.quic.send_ping(1)
        before = self.acknowledged
        while self.closed is None and self.acknowledged == before:
            self.step()

    def read(self, seconds: float) -> None:
        """Take in what comes, and answer it."""
        end = time.monotonic() + seconds
        while self.closed is None and time.monotonic() < end:
            self.step()

    def until_closed(self) -> int:
        """The error that the server closes with."""
        while self.closed is None:
            self.step()
        return int(self.closed.error_code)
