"""TLS to upstreams: contexts, the handshake as a part of a try, sessions, and the check of the peer's certificate."""

from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING, Any, Final

from gateway.core import tls_context
from gateway.core.tls import HandshakeFailure, secure, verified_chain
from gateway.core.tls_context import TlsError
from gateway.core.tls_names import matches
from gateway.upstream.exchange.contexts import ContextCache

if TYPE_CHECKING:
    from gateway._fast.tls import TlsStream
    from gateway.http.request import Request
    from gateway.upstream.exchange.keepalive import Connection
    from gateway.upstream.exchange.tls_settings import TlsSettings

_CHAIN_TOO_LONG: Final = "22:certificate chain too long"


class ClientTls:
    """What connections with the same settings share; made at load. Errors: TlsError."""

    def __init__(self, settings: TlsSettings, prefix: str) -> None:
        self.settings = settings
        self.sessions: dict[bytes, ssl.SSLSession] = {}  # by the peer's address; the latest
        certificate, key = settings.certificate, settings.certificate_key
        constant: tuple[str, str] | None = None
        self.varying = False
        if certificate is not None and certificate.constant != b"":
            if key is None:
                text = _text(certificate.constant) if certificate.constant is not None else certificate.text
                raise TlsError(f'no "{prefix}_ssl_certificate_key" is defined for certificate "{text}"')
            self.varying = certificate.constant is None or key.constant is None
            if not self.varying:
                constant = self._path(certificate.constant), self._path(key.constant)
        if settings.verify and not settings.trusted_certificate:
            raise TlsError(f"no {prefix}_ssl_trusted_certificate for {prefix}_ssl_verify", "verify")
        self.context = self._make(constant)
        kept = settings.certificate_cache
        self.cache = ContextCache[ssl.SSLContext](*kept) if kept is not None else None

    def _path(self, value: bytes) -> str:
        text = _text(value)
        return text if text.startswith(("/", "data:")) else self.settings.conf_prefix + text

    def _make(self, certificate: tuple[str, str] | None) -> ssl.SSLContext:
        settings = self.settings
        context = tls_context.new_context(
            server_side=False,
            protocols=settings.protocols or tls_context.DEFAULT_PROTOCOLS,
            ciphers=settings.ciphers,
        )
        if certificate is not None:
            tls_context.load_certificate(context, *certificate, settings.passwords)
        if settings.verify:
            context.verify_mode = ssl.CERT_REQUIRED
            tls_context.trust(context, settings.trusted_certificate)
            if settings.crl:
                tls_context.revoke(context, settings.crl)
        return context

    # -- one connection ------------------------------------------------------------------------------------------

    def begin(self, connection: Connection, request: Request, host: bytes) -> TlsStream:
        """Put TLS over the connection. Errors: TlsError, for a certificate that cannot be loaded."""
        context, name = self.client_side(request, host)
        session = self.sessions.get(connection.sockaddr) if context is self.context else None
        stream = secure(
            connection.stream,
            context,
            server_name=name,
            session=session if self.settings.session_reuse else None,
        )
        connection.stream = stream
        return stream

    def client_side(self, request: Request, host: bytes) -> tuple[ssl.SSLContext, bytes | None]:
        """The context of a connection, and the server name that is sent. Errors: TlsError."""
        name = self.name_for(request, host)
        return self._context_for(request), name if self.settings.server_name and may_be_sent(name) else None

    def _context_for(self, request: Request) -> ssl.SSLContext:
        """The shared one, but where the certificate is named by variables."""
        if not self.varying:
            return self.context
        certificate = self.settings.certificate(request)
        if not certificate:
            return self.context
        pair = self._path(certificate), self._path(self.settings.certificate_key(request))
        if self.cache is None:
            return self._make(pair)
        return self.cache.get(pair, request.connection.lane.now, lambda: self._make(pair))

    def name_for(self, request: Request, host: bytes) -> bytes:
        """The peer's name, without a port; nginx's ngx_http_upstream_ssl_name."""
        settings = self.settings
        name: bytes = settings.name(request) if settings.name is not None else host
        end = name.find(b"]") if name.startswith(b"[") else 0
        colon = name.find(b":", max(end, 0))
        return name[:colon] if colon >= 0 else name

    def problem(self, engine: Any, request: Request, host: bytes) -> bytes | None:
        """The handshake is done: what is wrong with the peer's certificate."""
        settings = self.settings
        if not settings.verify:
            return None
        chain = verified_chain(engine)
        if chain is not None and len(chain) - 2 > settings.verify_depth:
            return f"upstream SSL certificate verify error: ({_CHAIN_TOO_LONG})".encode()
        name = self.name_for(request, host)
        if not name or not matches(engine.getpeercert() or {}, _text(name)):
            return b'upstream SSL certificate does not match "%b"' % name
        return None

    def save(self, connection: Connection) -> None:
        """Keep the session of a whole handshake for the next connections to this peer, until it wants another."""
        # CPython loses some 5 KiB each time that it is asked for a session: not again for one that was resumed.
        stream: Any = connection.stream
        engine = stream.ssl
        if self.settings.session_reuse and engine.context is self.context and not engine.session_reused:
            session = engine.session
            if session is not None:
                self.sessions[connection.sockaddr] = session


def failure_of(error: OSError) -> tuple[str, bytes, OSError | None]:
    """Level and words for a handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"upstream SSL certificate verify error: ({error.verify_code}:{error.verify_message})"
        return "error", words.encode(), None
    failure = HandshakeFailure(error)
    return ("error" if failure.ordinary else "crit"), failure.text, failure.error


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
