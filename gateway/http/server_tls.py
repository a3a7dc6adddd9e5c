"""The TLS of a server block: what its module made of the directives, and what each connection asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import ssl

    from gateway._fast.stream import Stream
    from gateway._fast.tls import TlsStream
    from gateway.http.request import Request
    from gateway.protocol.client_hello import ClientHello


class ServerTls(Protocol):
    """What `Server.tls` is; modules/http/ssl.py makes them."""

    rejects: bool  # ssl_reject_handshake
    protocols: frozenset[bytes]  # by ALPN

    def secure(self, plain: Stream, hello: ClientHello | None, data: bytes, connection: Any) -> TlsStream:
        """TLS over the connection, with the certificate for this hello. Errors: OSError, ssl.SSLError."""

    def check(self, request: Request) -> int | None:
        """What is wrong with the client's certificate: a status, None if it may ask."""


def of(request: Request) -> ssl.SSLObject | None:
    """The TLS of the connection that a request came on."""
    return getattr(request.connection.stream, "ssl", None)
