"""A socket of QUIC in a worker: packets to their connections, and new ones to those that may begin one.

Loaded where a `listen … quic` is.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.crypto import CryptoError, CryptoPair
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)

from gateway._fast.datagrams import Datagrams
from gateway.http.h3_connection import HQ, Http3Connection
from gateway.http.quic_connection import UNI, Begin, ServerConnection
from gateway.http.quic_sessions import Seen
from gateway.http.quic_siblings import CID_SIZE, Siblings, owner, untagged
from gateway.http.quic_tokens import WrongToken
from gateway.protocol.http3_frames import varint

if TYPE_CHECKING:
    from gateway.http.listening import HttpListening
    from gateway.http.quic_tls import Http3Settings
    from gateway.serving.worker import Worker

_SMALLEST: Final = 1200  # of a datagram that begins a connection (RFC 9000, 14.1)
_VERSION: Final = int(QuicProtocolVersion.VERSION_1).to_bytes(4, "big")
_NEGOTIATION: Final = bytes(4)
_LONGEST_ID: Final = 20
_ASKS_RESET, _RESET = 43, 41  # bytes: of what is answered (nginx's), and of the answer
_SHORTEST_CHOSEN: Final = 8  # of an id that a client begins with (RFC 9000, 7.2)
# While more than this share of worker_connections have not shown that they are where they say, new ones have to
# (quic_retry on): what anybody can begin with a sender's address of his choice takes nothing from the others.
_HALF_OPEN_SHARE: Final = 8


def _destination(data: bytes) -> bytes:
    """The id that a packet is for, of which nothing was checked."""
    if data[:1] < b"\x80":
        return data[1 : 1 + CID_SIZE]
    return data[6 : 6 + data[5]] if len(data) > 6 else b""


def _ids(data: bytes) -> tuple[bytes, bytes] | None:
    """Both ids of a long header of at least _SMALLEST bytes, of whatever version."""
    at = 6 + data[5]
    size = data[at]
    if data[5] > _LONGEST_ID or size > _LONGEST_ID:
        return None
    return data[6:at], data[at + 1 : at + 1 + size]


def _authentic(data: bytes, header: Any, start: int) -> bool:
    """Whether an Initial packet was made for the id that it has: looked at before anything is kept for it."""
    crypto = CryptoPair()
    crypto.setup_initial(cid=header.destination_cid, is_client=False, version=header.version)
    try:
        crypto.decrypt_packet(data[: header.packet_length], start, 0)
    except CryptoError:
        return False
    return True


def _refusal(header: Any, words: str) -> bytes:
    """A packet that closes a connection which has not begun, for its token."""
    text = words.encode()
    frame = b"\x1c" + varint(QuicErrorCode.INVALID_TOKEN) + b"\x00" + varint(len(text)) + text
    ids = [bytes((len(each),)) + each for each in (header.source_cid, header.destination_cid)]
    head = b"\xc1" + _VERSION + b"".join(ids) + b"\x00" + varint(2 + len(frame) + 16) + b"\x00\x00"
    crypto = CryptoPair()
    crypto.setup_initial(cid=header.destination_cid, is_client=False, version=header.version)
    return bytes(crypto.encrypt_packet(head, frame, 0))


class QuicListener:
    """A listening socket of datagrams; each worker has one of its own, where the kernel leads a client's packets."""

    def __init__(self, worker: Worker, fd: int, listening: HttpListening) -> None:
        self.worker = worker
        self.listening = listening
        servers = listening.only or next(iter(listening.servers.values()))
        self.settings: Http3Settings = servers.default.http3
        settings = self.settings
        pairs = settings.pairs or [pair for server in servers.servers for pair in server.http3.pairs]
        core = servers.default.root.core
        self.configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["h3"] * settings.enabled + [HQ] * settings.hq,
            connection_id_length=CID_SIZE,
            idle_timeout=core.keepalive_timeout,
            max_data=settings.buffer_size * (settings.streams + UNI),
            max_stream_data=settings.buffer_size,
            certificate=pairs[0].chain[0] if pairs else b"",
            private_key=pairs[0].key if pairs else b"",
            certificate_chain=pairs[0].chain[1:] if pairs else [],
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
        self.connections: dict[bytes, Http3Connection] = {}
        self.seen = Seen()
        self.unproved = 0  # connections whose client may be anywhere
        self.most_unproved = max(worker.lane.worker_connections // _HALF_OPEN_SHARE, 1)
        self.open = True
        self.replaced = False
        self.source: Any
        self.siblings: Any
        self.connect(fd)

    def connect(self, fd: int) -> None:
        """Where datagrams come from and go to: this socket, and the other workers."""
        lane = self.worker.lane
        # the worker's end closes the listening socket; connections that are left go on with this one
        self.source = Datagrams(lane, os.dup(fd), self.arrived, self.failed)
        text = self.listening.address.text.encode()
        self.siblings = Siblings(lane, text, self.settings.generation, self.passed_on, self._replaced)
        self.siblings.announce()

    def passed_on(self, data: bytes, peer: bytes, source: bytes | None) -> None:
        """Another worker got a packet whose id says that it is for this one."""
        connection = self.connections.get(_destination(data))
        if connection is not None:
            connection.arrived(data, peer)
        elif data[:1] < b"\x80":
            self._tell_end(data, peer, source)

    def _replaced(self) -> None:
        """Workers of a new configuration read the same socket, and pass on what is for this one."""
        self.replaced = True
        if not self.open:
            self.source.pause()

    def local_of(self, source: bytes | None) -> tuple[bytes, int]:
        """Where a datagram was sent to."""
        address = self.listening.address.address
        assert not isinstance(address, str)
        if source is None:
            return address[0].encode(), address[1]
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6
        return socket.inet_ntop(family, source).encode(), address[1]

    def arrived(self, data: bytes, peer: bytes, source: bytes | None) -> None:
        destination = _destination(data)
        connection = self.connections.get(destination)
        if connection is None:
            process = owner(destination)
            if process and process != os.getpid() and self.siblings.pass_on(process, data, peer, source):
                return
            if data[:1] < b"\x80":
                self._tell_end(data, peer, source)
                return
            # what is left begins a connection, or is answered with the versions that there are
            if len(data) < _SMALLEST:
                return
            if data[1:5] != _VERSION:
                self._tell_versions(data, peer, source)
                return
            connection = self._begin(data, peer, source) if self.open else None
            if connection is None:
                return
        connection.arrived(data, peer)

    def _tell_versions(self, data: bytes, peer: bytes, source: bytes | None) -> None:
        ids = _ids(data)
        if ids is not None and data[1:5] != _NEGOTIATION:
            told = encode_quic_version_negotiation(
                source_cid=ids[0],
                destination_cid=ids[1],
                supported_versions=self.configuration.supported_versions,
            )
            self.source.send(told, peer, source)

    def _tell_to_retry(self, header: Any, peer: bytes, source: bytes | None) -> None:
        chosen = untagged()
        told = encode_quic_retry(
            version=header.version,
            source_cid=chosen,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=self.settings.tokens.for_retry(peer, header.destination_cid, chosen),
        )
        self.source.send(told, peer, source)

    def _tell_end(self, data: bytes, peer: bytes, source: bytes | None) -> None:
        """Of a connection that nobody knows: a stateless reset, shorter than what came (RFC 9000, 10.3)."""
        if len(data) >= _ASKS_RESET:
            noise = os.urandom(_RESET - 16)
            told = bytes((0x40 | noise[0] & 0x3F,)) + noise[1:] + self.settings.tokens.for_reset(_destination(data))
            self.source.send(told, peer, source)

    def _begin(self, data: bytes, peer: bytes, source: bytes | None) -> Http3Connection | None:
        buffer = Buffer(data=data)
        try:
            header = pull_quic_header(buffer)
        except ValueError:
            return None
        if header.packet_type != QuicPacketType.INITIAL or len(header.destination_cid) < _SHORTEST_CHOSEN:
            return None
        begin = Begin(header.destination_cid)
        if header.token:
            try:
                shown = self.settings.tokens.read(header.token, peer, header.destination_cid)
            except WrongToken as error:
                self.source.send(_refusal(header, str(error)), peer, source)
                return None
            if shown is not None:
                begin.proved = True
                if shown.original is not None:
                    begin.original, begin.retried = shown.original, header.destination_cid
        if not begin.proved and (self.settings.retry or self.unproved >= self.most_unproved):
            self._tell_to_retry(header, peer, source)
            return None
        if not _authentic(data, header, buffer.tell()) or not self.worker.admit():
            return None
        self.worker.lane.taken += 1  # one of worker_connections, though no stream of its own
        quic = ServerConnection(self, peer, source, begin)
        connection = Http3Connection(self, quic, peer, source)
        self.unproved += connection.unproved
        connection.ids.append(header.destination_cid)
        connection.ids.append(quic.host_cid)
        self.connections[header.destination_cid] = self.connections[quic.host_cid] = connection
        return connection

    def forget(self, connection: Http3Connection) -> None:
        self.worker.lane.taken -= 1
        for number in connection.ids:
            if self.connections.get(number) is connection:
                del self.connections[number]
        self._settle()

    def failed(self, number: int) -> None:
        """Of one datagram that was sent (ICMP): nginx says it and goes on."""
        self.worker.log("alert", b"recvmsg() failed (%d: %b)" % (number, os.strerror(number).encode()))

    def close(self) -> None:
        """No more connections."""
        self.open = False
        if self.replaced:
            self.source.pause()  # what begins is theirs
        self._settle()

    def _settle(self) -> None:
        if not self.open and not self.connections:
            self.source.close()
            self.siblings.close()
