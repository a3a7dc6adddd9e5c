"""A socket of QUIC in a worker: packets to their connections, and aioquic's connection as a server has it here.

Loaded where a `listen … quic` is. What aioquic lacks is in ServerConnection: the certificate by SNI, and windows
that widen only as requests are read.
"""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import (
    QuicFrameType,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway._fast.datagrams import Datagrams
from gateway._fast.host import validate_host
from gateway._fast.lane import sockaddr_text
from gateway.http.h3_connection import Http3Connection
from gateway.http.quic_siblings import CID_SIZE, Siblings, owner, tagged, untagged

if TYPE_CHECKING:
    from gateway.http.listening import HttpListening
    from gateway.http.servers import Server
    from gateway.serving.worker import Worker

_SMALLEST: Final = 1200  # of a datagram that begins a connection (RFC 9000, 14.1)
_UNI: Final = 3  # control and QPACK's two


@dataclass(slots=True)
class Pair:
    """A certificate with those that lead to it, and its key."""

    chain: list[Any]
    key: Any


@dataclass(slots=True)
class Http3Settings:
    """Of one server."""

    enabled: bool = True
    streams: int = 128
    buffer_size: int = 65536
    id_limit: int = 2
    retry: bool = False
    rejects: bool = False
    pairs: list[Pair] = field(default_factory=list)
    tokens: Any = None
    generation: bytes = field(default_factory=lambda: os.urandom(8))  # the same in all workers of this configuration


def load_pair(chain: bytes, key: bytes, passwords: list[bytes]) -> Pair:
    """Errors: ValueError or TypeError, if it cannot be read."""
    certificates = tls.load_pem_x509_certificates(chain)
    error: Exception | None = None
    for password in (None, *passwords):
        try:
            return Pair(certificates, tls.load_pem_private_key(key, password))
        except (ValueError, TypeError) as failed:
            error = failed
    assert error is not None
    raise error


def tokens(host_key: bytes) -> Any:
    """Makes and reads what Retry gives to clients: made before the fork, so that all workers know it."""
    made = QuicRetryTokenHandler()
    if host_key:
        made._aead = AESGCM(hashlib.sha256(b"av_token_key" + host_key).digest()[:16])
    return made


class TlsInfo:
    """What is known of a connection's TLS, for $ssl_…; it has no certificate of the client."""

    ocsp_problem = ""
    handshaking = False

    def __init__(self, listening: HttpListening, connection: Any) -> None:
        self.listening = listening
        self.connection = connection
        self.server: Server = connection.first_server
        self.name: bytes | None = None

    def _tls(self) -> Any:
        return self.connection.tls

    def version(self) -> bytes:
        return b"TLSv1.3"

    def cipher(self) -> bytes | None:
        schedule = self._tls().key_schedule
        return b"TLS_" + schedule.cipher_suite.name.encode() if schedule is not None else None

    def ciphers(self) -> bytes | None:
        return None

    curves = curve = sigalg = sigalgs = session_id = peer_sigalg = ciphers

    @property
    def session_reused(self) -> bool:
        return bool(self._tls().session_resumed)

    def server_name(self) -> bytes | None:
        return self.name

    def alpn_protocol(self) -> bytes | None:
        protocol = self._tls().alpn_negotiated
        return protocol.encode() if protocol else None

    def peer_certificate(self) -> None:
        return None

    def verify_result(self) -> int:
        return 0

    def forget_session(self) -> None:
        pass


class _UnrecognizedName(tls.Alert):  # type: ignore[misc]
    description = tls.AlertDescription.unrecognized_name


class _Context(tls.Context):  # type: ignore[misc]
    """aioquic's TLS with the server that the client asks for."""

    info: TlsInfo

    def _server_handle_hello(self, input_buf: Any, initial_buf: Any, handshake_buf: Any) -> None:
        at = input_buf.tell()
        hello = tls.pull_client_hello(input_buf)
        input_buf.seek(at)
        info = self.info
        if hello.server_name:
            checked = validate_host(hello.server_name.encode())
            servers = info.listening.servers_for(info.connection)
            found = servers.find(checked[0], None) if checked is not None else None
            if found is not None and checked is not None:
                info.server, info.name = found, checked[0]
        settings: Http3Settings = info.server.http3
        if settings.rejects:
            raise _UnrecognizedName("the server rejects the handshake")
        for pair in settings.pairs or info.connection.first_server.http3.pairs:
            self.certificate, self.certificate_chain = pair.chain[0], pair.chain[1:]
            self.certificate_private_key = pair.key
            if set(self._signature_algorithms_for_private_key()) & set(hello.signature_algorithms or ()):
                break
        super()._server_handle_hello(input_buf, initial_buf, handshake_buf)


class ServerConnection(QuicConnection):  # type: ignore[misc]
    """aioquic's connection as a server's: certificate by SNI, windows that follow who reads."""

    def __init__(self, listener: QuicListener, source: bytes | None, original: bytes, retried: bytes | None) -> None:
        super().__init__(
            configuration=listener.configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
        )
        settings = listener.settings
        self.local = listener.local_of(source)
        self.first_server: Server = listener.listening.servers_for(self).default
        self.last_request = -4
        self.info = TlsInfo(listener.listening, self)
        self._window = settings.buffer_size
        self._used: dict[int, int] = {}  # by stream: how much of it was read
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = settings.streams
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = _UNI
        self._local_active_connection_id_limit = settings.id_limit

        self._tag(self._host_cids[0])
        self.host_cid = self._local_initial_source_connection_id = self._host_cids[0].cid

    def _tag(self, connection_id: Any) -> None:
        """Say in the id whose it is."""
        connection_id.cid = tagged(connection_id.cid)

    def _replenish_connection_ids(self) -> None:
        before = len(self._host_cids)
        super()._replenish_connection_ids()
        for connection_id in self._host_cids[before:]:
            self._tag(connection_id)

    def local_address(self) -> tuple[bytes, int]:
        return self.local

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        # there is no hook for the class of the context
        self.tls.__class__ = _Context
        self.tls.info = self.info
        self.tls._max_early_data = None

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
            alpn_protocols=["h3"],
            connection_id_length=CID_SIZE,
            idle_timeout=core.keepalive_timeout,
            max_data=settings.buffer_size * (settings.streams + _UNI),
            max_stream_data=settings.buffer_size,
            certificate=pairs[0].chain[0] if pairs else b"",
            private_key=pairs[0].key if pairs else b"",
            certificate_chain=pairs[0].chain[1:] if pairs else [],
        )
        self.connections: dict[bytes, Http3Connection] = {}
        # the worker's end closes the listening socket; connections that are left go on with this one
        self.source = Datagrams(worker.lane, os.dup(fd), self.arrived, self.failed)
        self.open = True
        self.replaced = False
        text = listening.address.text.encode()
        self.siblings = Siblings(worker.lane, text, settings.generation, self.passed_on, self._replaced)
        self.siblings.announce()

    def passed_on(self, data: bytes, peer: bytes, source: bytes | None) -> None:
        """Another worker got a packet whose id says that it is for this one."""
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CID_SIZE)
        except ValueError:
            return
        connection = self.connections.get(header.destination_cid)
        if connection is not None:
            connection.arrived(data, peer)

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
        buffer = Buffer(data=data)
        try:
            header = pull_quic_header(buffer, host_cid_length=CID_SIZE)
        except ValueError:
            return
        if header.version is not None and header.version not in self.configuration.supported_versions:
            # to what is too short, or says itself which versions there are, nobody answers
            if header.packet_type != QuicPacketType.VERSION_NEGOTIATION and len(data) >= _SMALLEST:
                told = encode_quic_version_negotiation(
                    source_cid=header.destination_cid,
                    destination_cid=header.source_cid,
                    supported_versions=self.configuration.supported_versions,
                )
                self.source.send(told, peer, source)
            return
        connection = self.connections.get(header.destination_cid)
        if connection is None:
            process = owner(header.destination_cid)
            if process and process != os.getpid():
                self.siblings.pass_on(process, data, peer, source)
                return
            if header.packet_type != QuicPacketType.INITIAL or len(data) < _SMALLEST or not self.open:
                return
            connection = self._begin(header, peer, source)
            if connection is None:
                return
        connection.arrived(data, peer)

    def _begin(self, header: Any, peer: bytes, source: bytes | None) -> Http3Connection | None:
        original, retried = header.destination_cid, None
        settings = self.settings
        if settings.retry:
            host, port = sockaddr_text(peer)
            address = host.decode(), port
            now = self.worker.lane.fresh()
            try:
                if not header.token:
                    raise ValueError
                original = settings.tokens.validate_token(
                    address=address, destination_cid=header.destination_cid, token=header.token, now=now
                )
                retried = header.destination_cid
            except ValueError:
                chosen = untagged()
                token = settings.tokens.create_token(
                    address=address,
                    original_destination_connection_id=header.destination_cid,
                    retry_source_connection_id=chosen,
                    now=now,
                )
                told = encode_quic_retry(
                    version=header.version,
                    source_cid=chosen,
                    destination_cid=header.source_cid,
                    original_destination_cid=header.destination_cid,
                    retry_token=token,
                )
                self.source.send(told, peer, source)
                return None
        if not self.worker.admit():
            return None
        self.worker.lane.taken += 1  # one of worker_connections, though no stream of its own
        quic = ServerConnection(self, source, original, retried)
        connection = Http3Connection(self, quic, peer, source)
        self.connections[header.destination_cid] = connection
        self.connections[quic.host_cid] = connection
        return connection

    def forget(self, connection: Http3Connection) -> None:
        self.worker.lane.taken -= 1
        for number in [cid for cid, other in self.connections.items() if other is connection]:
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
