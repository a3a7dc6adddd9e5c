"""What HTTP/1 and HTTP/2 decide alike of a response's head, when it is about to become bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.request import Request


def leave_body_out(request: Request) -> bool:
    """Whether the response ends with its head (RFC 9110, 6.4.1); 204 loses the fields that tell of a body."""
    if request.method == b"HEAD":
        request.header_only = True
    response = request.response
    status = response.status
    if status in (204, 304) or status < 200:
        request.header_only = True
        if status == 204:
            if response.status_text is None:  # nginx leaves an upstream's its type
                response.content_type = None
            response.content_length = -1
            if response.listed is None or b"last-modified" not in response.listed:
                response.clear_last_modified()
        return True
    return request.header_only and request.method != b"HEAD"


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
