"""The head of an HTTP/1 response as bytes; the order of fields is nginx's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.response import PLACED, Response
from gateway.http.status import status_line

if TYPE_CHECKING:
    from gateway.http.request import Request

# Kept plain heads of a location's settings; answers whose length varies must not fill the memory.
_MAX_HEADS: Final = 64

_NONE: Final[frozenset[bytes]] = frozenset()


def decide_framing(request: Request) -> None:
    """How the end of the body is told: by length, chunked, or by closing (RFC 9112, 6.3)."""
    response = request.response
    status = response.status
    if request.http_version < 10:
        return
    if request.method == b"HEAD":
        request.header_only = True
    if status in (204, 304) or status < 200:
        request.header_only = True
        if status == 204:
            if response.status_text is None:  # nginx leaves an upstream's its type
                response.content_type = None
            response.content_length = -1
            if response.listed is None or b"last-modified" not in response.listed:
                response.clear_last_modified()
        return
    if request.header_only and request.method != b"HEAD":
        return
    if response.content_length < 0 and not request.upgraded:
        if request.http_version >= 11 and request.location.core.chunked_transfer_encoding:
            request.chunked = not request.header_only
            if request.header_only:
                return
        elif not request.header_only:
            request.keepalive = False
    elif (
        response.trailers is not None
        and request.http_version >= 11
        and not request.header_only
        and request.location.core.chunked_transfer_encoding
    ):
        # a trailer section exists in chunked framing alone
        request.chunked = True
        response.content_length = -1


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


def render_head(request: Request, date: bytes) -> bytes:
    """Everything up to and including the empty line."""
    response = request.response
    if (
        response.fields
        or response.status_text is not None
        or response.server is not None
        or response.date is not None
        or response.charset is not None
        or response.location is not None
        or response.etag is not None
        or response.content_encoding is not None
        or response.last_modified >= 0
        or response.last_modified_text is not None
        or response.gzip_vary
        or request.chunked
    ):
        return _render(request, date)
    # A plain head differs in few things: it is kept, cut where the date stands.
    core = request.location.core
    if (
        date is not core.last_date
        or response.status != core.last_status
        or response.content_length != core.last_length
        or request.keepalive != core.last_keepalive
        or response.content_type != core.last_type
    ):
        before, after = _halves(request, date)
        core.last_head = before + date + after
        core.last_date = date
        core.last_status = response.status
        core.last_length = response.content_length
        core.last_keepalive = request.keepalive
        core.last_type = response.content_type
    return core.last_head


def _halves(request: Request, date: bytes) -> tuple[bytes, bytes]:
    response = request.response
    heads = request.location.core.heads
    key = (response.status, response.content_type, response.content_length, request.keepalive)
    halves = heads.get(key)
    if halves is None:
        head = _render(request, date)
        before, mark, after = head.partition(b"\r\nDate: " + date)
        halves = before + mark[: -len(date)], after
        if len(heads) >= _MAX_HEADS:
            heads.clear()
        heads[key] = halves
    return halves


def _render(request: Request, date: bytes) -> bytes:
    response = request.response
    core = request.location.core
    listed = response.listed or _NONE
    parts = [b"HTTP/1.1 ", response.status_text or status_line(response.status)]
    server = response.server
    if server is None:
        parts.append(core.server_header)
    elif server and b"server" not in listed:
        parts += (b"\r\nServer: ", server)
    if response.date is None:
        parts += (b"\r\nDate: ", date)
    elif b"date" not in listed:
        parts += (b"\r\nDate: ", response.date)
    content_type = response.content_type
    if content_type:
        parts += (b"\r\nContent-Type: ", content_type)
        if response.charset:
            parts += (b"; charset=", response.charset)
    if response.content_length >= 0:
        parts.append(b"\r\nContent-Length: %d" % response.content_length)
    status = response.status
    if status in (200, 206, 304) and b"last-modified" not in listed:
        last_modified = response.last_modified_value
        if last_modified is not None:
            parts += (b"\r\nLast-Modified: ", last_modified)
    location = response.location
    if location is not None and location[:1] == b"/" and core.absolute_redirect:
        response.location = absolute_location(request, location)
        parts += (b"\r\nLocation: ", response.location)
        location = None
    if request.chunked:
        parts.append(b"\r\nTransfer-Encoding: chunked")
    if status == 101:
        parts.append(b"\r\nConnection: upgrade")
    elif request.keepalive:
        parts.append(b"\r\nConnection: keep-alive")
        if core.keepalive_header:
            parts.append(b"\r\nKeep-Alive: timeout=%d" % core.keepalive_header)
    else:
        parts.append(b"\r\nConnection: close")
    if response.gzip_vary:
        parts.append(b"\r\nVary: Accept-Encoding")
    # One that stays as it is goes with the other fields, as in nginx.
    if location is not None and b"location" not in listed:
        parts += (b"\r\nLocation: ", location)
    if response.etag is not None and b"etag" not in listed:
        parts += (b"\r\nETag: ", response.etag)
    if response.content_encoding is not None and b"content-encoding" not in listed:
        parts += (b"\r\nContent-Encoding: ", response.content_encoding)
    for name, value in response.fields:
        if value is PLACED:
            placed = location if name.lower() == b"location" else _placed_value(response, name.lower())
            if placed is None:
                continue
            parts += (b"\r\n", name, b": ", placed)
        else:
            parts += (b"\r\n", name, b": ", value)
    parts.append(b"\r\n\r\n")
    return b"".join(parts)


def _placed_value(response: Response, lower: bytes) -> bytes | None:
    """The value of a field that stands in its place among the others."""
    if lower == b"etag":
        return response.etag
    if lower == b"last-modified":
        return response.last_modified_text
    if lower == b"content-encoding":
        return response.content_encoding
    return response.date if lower == b"date" else response.server
