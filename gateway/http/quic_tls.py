"""TLS of QUIC as a server has it here: aioquic's, with the certificate by SNI, and what $ssl_… tell of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aioquic import tls

from gateway._fast.host import validate_host

if TYPE_CHECKING:
    from gateway.http.listening import HttpListening
    from gateway.http.servers import Server


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
    gso: bool = False
    hq: bool = False
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


class Context(tls.Context):  # type: ignore[misc]
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
