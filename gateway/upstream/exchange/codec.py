"""What an exchange asks of a protocol towards upstreams; one object for a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader

# Fields of the client's connection, and those that are made anew: HTTP passes none of them on as the client sent it.
NEVER_PASSED: Final = frozenset(
    {
        b"host",
        b"connection",
        b"proxy-connection",
        b"content-length",
        b"transfer-encoding",
        b"te",
        b"keep-alive",
        b"expect",
        b"upgrade",
    }
)


class RequestRefused(Exception):
    """The request cannot be put into the protocol: the status to answer, and the log's words."""

    def __init__(self, status: int, message: bytes, level: str = "error") -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.level = level


class Codec:
    """Compiled with the types of codec.pxd, so that an exchange reaches it without a look-up."""

    def __init__(self, schema: bytes, tls: Any = None) -> None:
        self.schema = schema  # for the error log: b"uwsgi://"
        self.tls = tls  # a ClientTls, for a peer that is spoken to over TLS
        self.http2 = False  # `encode` gives a block of fields, and `reader` an http2.Http2Reader

    def encode(self, exchange: Any) -> bytes:
        """What is sent before the request's body. Errors: RequestRefused."""
        raise NotImplementedError

    def reader(self, exchange: Any) -> Reader:
        """What reads the answer of one try."""
        raise NotImplementedError

    def streams_body(self, request: Request) -> bool:
        """Whether the request's body may be sent on as it comes (`*_request_buffering off`)."""
        raise NotImplementedError
