"""What HTTP/1 and HTTP/2 decide alike of a response's head, when it is about to become bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.http.response import Response


# Fields that are the same objects each time, as those of `add_header` are, cost little to compare.
_MOST_FIELDS: Final = 12


class KeptHead:
    """The last head of a location's settings that said nothing unusual, and what it was made of.

    For a second, the same answer to the same question has the same head: a fifth of a small request is saved.
    """

    def __init__(self) -> None:
        self.date: bytes | None = None
        self.status: int = 0
        self.keepalive: bool = False
        self.content_length: int = -1
        self.content_type: bytes | None = None
        self.charset: bytes | None = None
        self.gzip_vary: bool = False
        self.etag: bytes | None = None
        self.last_modified: bytes | None = None
        self.fields: list[tuple[bytes, bytes]] = []
        self.head: bytes = b""

    def is_of(self, response: Response, keepalive: bool, date: bytes) -> bool:
        """Whether `head` is the one of this response; if not, the caller makes it so."""
        if (
            self.date is date
            and self.status == response.status
            and self.content_length == response.content_length
            and self.keepalive == keepalive
            and self.content_type == response.content_type
            and self.charset == response.charset
            and self.gzip_vary == response.gzip_vary
            and self.etag == response.etag
            and self.last_modified == response.last_modified_text
            and self.fields == response.fields
        ):
            return True
        self.date = date
        self.status = response.status
        self.content_length = response.content_length
        self.keepalive = keepalive
        self.content_type = response.content_type
        self.charset = response.charset
        self.gzip_vary = response.gzip_vary
        self.etag = response.etag
        self.last_modified = response.last_modified_text
        self.fields = response.fields
        return False


def is_usual(response: Response) -> bool:
    """Whether the head says nothing but what a KeptHead compares."""
    return (
        len(response.fields) <= _MOST_FIELDS
        and response.status_text is None
        and response.server is None
        and response.date is None
        and response.charset_text is None
        and response.location is None
        and response.content_encoding is None
        and response.listed is None
        and (response.last_modified < 0 or response.last_modified_text is not None)
    )


def leave_body_out(request: Request) -> bool:
    """Whether the response ends with its head (RFC 9110, 6.4.1); 204 loses the fields that tell of a body."""
    if request.method == b"HEAD":
        request.header_only = True
    response = request.response
    status = response.status
    if status == 204 or status == 304:
        request.header_only = True
        if status == 204:
            if response.status_text is None:  # nginx leaves an upstream's its type
                response.content_type = None
            response.content_length = -1
            if response.listed is None or b"last-modified" not in response.listed:
                response.clear_last_modified()
        return True
    return request.header_only and request.method != b"HEAD"


def placed_value(response: Response, lower: bytes) -> bytes | None:
    """The value of a field that stands in its place among the others."""
    if lower == b"location":
        return response.location
    if lower == b"etag":
        return response.etag
    if lower == b"last-modified":
        return response.last_modified_text
    if lower == b"content-encoding":
        return response.content_encoding
    return response.date if lower == b"date" else response.server


def rate_limit(request: Request) -> tuple[int, int]:
    """Bytes a second that the body may take, 0 without limit, and how many leave before that holds."""
    core = request.location.core
    rate = request.limit_rate
    if rate is None:
        rate = core.limit_rate(request) if core.limit_rate is not None else 0
    if not rate:
        return 0, 0
    after = request.limit_rate_after
    if after is None:
        after = core.limit_rate_after(request) if core.limit_rate_after is not None else 0
    return rate, after


def absolute_location(request: Request, path: bytes) -> bytes:
    """A Location with scheme, name and port, as `absolute_redirect` wants it."""
    core = request.location.core
    connection = request.connection
    host = request.server.server_name if core.server_name_in_redirect else request.host or connection.server_addr
    port = connection.server_port
    default = 443 if connection.scheme == b"https" else 80
    if not core.port_in_redirect or port in (0, default):
        return connection.scheme + b"://" + host + path
    return b"%s://%s:%d%s" % (connection.scheme, host, port, path)
