"""TLS of QUIC as a server has it here: aioquic's, with the certificate by SNI, and what $ssl_… tell of it."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aioquic import tls
from aioquic.tls import utcnow

from gateway._fast.host import validate_host
from gateway.http.quic_sessions import AGE_TOLERANCE_S, Session, Sessions

if TYPE_CHECKING:
    from gateway.http.listening import HttpListening
    from gateway.http.servers import Server

_ANY: Final = 0xFFFFFFFF  # of 0-RTT: QUIC's windows are the limit (RFC 9001, 4.6.1)


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
    sessions: Sessions | None = None
    pairs: list[Pair] = field(default_factory=list)
    tokens: Any = None
    generation: bytes = field(default_factory=lambda: os.urandom(8))  # the same in all workers of this configuration

    @property
    def limits(self) -> bytes:
        """What was promised to who comes with 0-RTT."""
        return b"%d %d" % (self.streams, self.buffer_size)


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

    def __init__(self, listening: HttpListening, connection: Any) -> None:
        self.listening = listening
        self.connection = connection
        self.server: Server = connection.first_server
        self.name: bytes | None = None

    @property
    def handshaking(self) -> bool:
        return not self.connection._handshake_complete

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
    takes_early: bool

    def _server_handle_hello(self, input_buf: Any, initial_buf: Any, handshake_buf: Any) -> None:
        at = input_buf.tell()
        hello = tls.pull_client_hello(input_buf)
        input_buf.seek(at)
        info = self.info
        if hello.server_name:
            checked = validate_host(hello.server_name.encode())
            servers = info.listening.servers_for(info.connection)
            found = servers.find(checked[0], None) if checked is not None else None
            info.name = hello.server_name.encode()  # whether or not there is such a server
            if found is not None:
                info.server = found
        settings: Http3Settings = info.server.http3
        if settings.rejects:
            raise _UnrecognizedName("the server rejects the handshake")
        for pair in settings.pairs or info.connection.first_server.http3.pairs:
            self.certificate, self.certificate_chain = pair.chain[0], pair.chain[1:]
            self.certificate_private_key = pair.key
            if set(self._signature_algorithms_for_private_key()) & set(hello.signature_algorithms or ()):
                break
        self.takes_early = False
        if settings.sessions is not None:
            self.get_session_ticket_cb = partial(self._session_of, settings, hello)
        super()._server_handle_hello(input_buf, initial_buf, handshake_buf)

    # -- sessions: aioquic's own tickets are those of one process

    def _session_of(self, settings: Http3Settings, hello: Any, identity: bytes) -> Any:
        assert settings.sessions is not None
        try:
            session = settings.sessions.open(identity)
            if session is None or session.name != (self.info.name or b""):
                return None
            suite = tls.CipherSuite(session.suite)
        except (ValueError, struct.error):
            return None
        if hello.early_data and session.early and settings.sessions.early:
            age_ms = (hello.pre_shared_key.identities[0][1] - session.age_add) & 0xFFFFFFFF
            self.takes_early = (
                session.alpn == (self.alpn_negotiated or "").encode()
                and session.limits == settings.limits
                and abs(age_ms / 1e3 - (time.time() - session.made)) <= AGE_TOLERANCE_S
                and self.info.connection.seen.first(identity)
            )
        now = utcnow()
        return tls.SessionTicket(
            age_add=session.age_add,
            cipher_suite=suite,
            not_valid_after=now + timedelta(seconds=1),
            not_valid_before=now - timedelta(seconds=1),
            resumption_secret=session.secret,
            server_name="",
            ticket=identity,
        )

    # aioquic takes 0-RTT whenever a ticket holds

    @property
    def early_data_accepted(self) -> bool:
        return bool(self.__dict__.get("_early_data_accepted"))

    @early_data_accepted.setter
    def early_data_accepted(self, value: bool) -> None:
        self.__dict__["_early_data_accepted"] = value and self.takes_early

    def keys_of_traffic(self, direction: Any, epoch: Any, suite: Any, secret: bytes) -> None:
        if epoch != tls.Epoch.ZERO_RTT or self.takes_early:
            self.info.connection._update_traffic_key(direction, epoch, suite, secret)

    def _server_handle_finished(self, input_buf: Any, output_buf: Any) -> None:
        super()._server_handle_finished(input_buf, output_buf)
        settings: Http3Settings = self.info.server.http3
        sessions = settings.sessions
        if sessions is None or self._psk_key_exchange_mode is None:
            return
        new = tls.NewSessionTicket(
            ticket_lifetime=sessions.timeout_s,
            ticket_age_add=int.from_bytes(os.urandom(4), "big"),
            max_early_data_size=_ANY if sessions.early else None,
        )
        state = self._build_session_ticket(new, [])
        new.ticket = sessions.seal(
            Session(
                made=time.time(),
                age_add=new.ticket_age_add,
                suite=int(state.cipher_suite),
                early=sessions.early,
                secret=state.resumption_secret,
                name=self.info.name or b"",
                alpn=(self.alpn_negotiated or "").encode(),
                limits=settings.limits,
            )
        )
        tls.push_new_session_ticket(output_buf, new)
