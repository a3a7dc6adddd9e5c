"""TLS to upstreams: contexts, the handshake as a part of a try, sessions, and the check of the peer's certificate."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import tls_callbacks
from gateway._fast.errors import TlsError
from gateway._fast.openssl import verify_error_text
from gateway._fast.tls import TlsStream
from gateway._fast.tls_context import Context, wire_format
from gateway.core.tls import is_ordinary, words_of
from gateway.core.tls_objects import Objects, pair_for
from gateway.core.tls_settings import DEFAULT_PROTOCOLS, complete
from gateway.upstream.exchange.attempt import Stage, error_words
from gateway.upstream.exchange.next_upstream import Condition

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway._fast.tls_engine import Engine, Session
    from gateway.upstream.exchange.keepalive import PeerConnection
    from gateway.upstream.exchange.peer_try import PeerTry
    from gateway.upstream.exchange.tls_settings import ClientTlsConf


_MOST_SESSIONS: Final = 1024


class ClientTls:
    """What connections with the same settings share; made at load. Errors: TlsError."""

    def __init__(self, settings: ClientTlsConf, prefix: str) -> None:
        self.settings = settings
        # the latest of each peer: of an upstream, and of its address, since another upstream may have the same
        self.sessions: dict[tuple[Any, ...], Session] = {}
        objects: Objects = settings.objects or Objects()
        certificate, key = settings.certificate, settings.certificate_key
        self.varying = False
        context = self.context = Context(server=False, protocols=settings.protocols or DEFAULT_PROTOCOLS)
        context.set_ciphers(settings.ciphers)
        if certificate is not None and certificate.constant != b"":
            if key is None:
                text = _text(certificate.constant) if certificate.constant is not None else certificate.text
                raise TlsError(f'no "{prefix}_ssl_certificate_key" is defined for certificate "{text}"')
            self.varying = certificate.constant is None or key.constant is None
            if not self.varying:
                names = [complete(_text(one.constant or b""), settings.conf_prefix) for one in (certificate, key)]
                context.use(objects.chain(names[0]), objects.key(names[1], settings.passwords))
        if settings.verify:
            if not settings.trusted_certificate:
                raise TlsError(f"no {prefix}_ssl_trusted_certificate for {prefix}_ssl_verify", "verify")
            context.set_verify_depth(settings.verify_depth)
            context.trust(objects.authorities(settings.trusted_certificate))
            if settings.crl:
                context.revoke(objects.revoked(settings.crl))
        if settings.session_reuse:
            tls_callbacks.hand_out_sessions(context)
        # By value: locations that say the same share connections.
        self.key = (
            *(settings.protocols, settings.ciphers, settings.server_name, settings.conf_commands),
            *(settings.verify, settings.verify_depth, settings.trusted_certificate, settings.crl),
            *(certificate and certificate.text, key and key.text),
        )
        self.names_peer = settings.server_name or settings.verify
        context.command(list(settings.conf_commands), lambda name: complete(name, settings.conf_prefix))

    # -- one connection ------------------------------------------------------------------------------------------

    def secure(self, stream: Stream, request: Any, host: bytes, sockaddr: bytes) -> TlsStream:
        """TLS over a connection that is there. Errors: TlsError, for a certificate that cannot be loaded."""
        made = TlsStream(stream, self.context)
        try:
            self.prepare(made.ssl, request, host, sockaddr)
        except BaseException:
            made.close()
            raise
        return made

    def prepare(self, engine: Engine, request: Any, host: bytes, sockaddr: bytes | None) -> None:
        """What this request, or session, adds to the context's. Errors: TlsError."""
        settings = self.settings
        own = self._own_names(request) if self.varying else ()
        if own and own[0]:
            names = [complete(_text(value), settings.conf_prefix) for value in own]
            now = request.connection.lane.now
            pair_for(settings.certificate_cache, (names[0], names[1]), settings.passwords or (), now, engine.use)
        if settings.alpn:
            offered = [name for template in settings.alpn if (name := template(request))]
            if offered:
                engine.set_alpn(wire_format(offered))
        if settings.server_name:
            name = self.name_for(request, host)
            if may_be_sent(name):
                engine.set_server_name(name)
        if settings.session_reuse and sockaddr is not None:
            peer = host, sockaddr, *own
            session = self.sessions.get(peer)
            if session is not None:
                engine.set_session(session)

            def save(given: Session) -> None:
                sessions = self.sessions
                if len(sessions) >= _MOST_SESSIONS and peer not in sessions:
                    del sessions[next(iter(sessions))]  # names of peers may come from outside
                sessions[peer] = given

            engine.on_session = save

    def _own_names(self, request: Any) -> tuple[bytes, bytes]:
        """Of our certificate and its key, where they have variables."""
        settings = self.settings
        assert settings.certificate is not None and settings.certificate_key is not None
        return settings.certificate(request), settings.certificate_key(request)

    def identity(self, request: Any, host: bytes) -> Any:
        """Who a connection is made to, and as whom: requests for which it is equal may share one."""
        if not self.names_peer and not self.varying:
            return self.key
        name = self.name_for(request, host) if self.names_peer else None
        return (self.key, name, *(self._own_names(request) if self.varying else ()))

    def name_for(self, request: Any, host: bytes) -> bytes:
        """The peer's name, without a port; nginx's ngx_http_upstream_ssl_name."""
        settings = self.settings
        name: bytes = settings.name(request) if settings.name is not None else host
        end = name.find(b"]") if name.startswith(b"[") else 0
        colon = name.find(b":", max(end, 0))
        return name[:colon] if colon >= 0 else name

    def problem(self, engine: Engine, request: Any, host: bytes) -> bytes | None:
        """The handshake is done: what is wrong with the peer's certificate."""
        if not self.settings.verify:
            return None
        number = engine.verify_result()
        if number:
            return f"upstream SSL certificate verify error: ({number}:{verify_error_text(number)})".encode()
        name = self.name_for(request, host)
        certificate = engine.peer_certificate()
        if certificate is None or not certificate.matches(name):
            return b'upstream SSL certificate does not match "%b"' % name
        return None


def shake_hands(asking: PeerTry, connection: PeerConnection) -> bool:
    """TLS on a new connection. True when it is there; else there is a `failure`, or ask() is called `until`."""
    tls: ClientTls = connection.tls
    request = asking.request
    attempt = asking.attempt
    now = asking.lane.fresh()
    host = asking.upstream.name
    stream: Any = connection.stream
    if attempt.stage is not Stage.HANDSHAKING:
        attempt.stage = Stage.HANDSHAKING
        asking.deadline = now + asking.settings.connect_timeout
        try:
            stream = connection.stream = tls.secure(connection.stream, request, host, connection.sockaddr)
        except TlsError as error:
            # nothing of TLS has been said yet
            asking.log("error", str(error).encode("utf-8", "surrogateescape"), Stage.CONNECTING)
            asking.failure = Condition.OWN_SIDE
            return False
        if request.location.core.tcp_nodelay and not connection.is_unix:
            stream.nodelay()
    try:
        done = stream.handshake()
    except OSError as failed:
        attempt.error = failed
        level, words, error_number = failure_of(failed)
        asking.log(level, words if error_number is None else b"%b (%b)" % (words, error_words(error_number)))
        asking.failure = Condition.ERROR
        return False
    if not done:
        asking.check_client()
        asking.until = asking.deadline
        if now >= asking.deadline:
            asking.timed_out()
        return False
    problem = tls.problem(stream.ssl, request, host)
    if problem is not None:
        asking.log("error", problem)
        asking.failure = Condition.ERROR
        return False
    connection.tls = None
    return True


def failure_of(error: OSError) -> tuple[str, bytes, OSError | None]:
    """Level and words for a handshake that failed."""
    words, number = words_of(error)
    return "error" if is_ordinary(error) else "crit", words, number


def may_be_sent(name: bytes) -> bool:
    """Whether a name may be a server name: literal addresses may not (RFC 6066, 3)."""
    if not name or name.startswith(b"["):
        return False
    try:
        ipaddress.IPv4Address(_text(name))
    except ValueError:
        return True
    return False


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
