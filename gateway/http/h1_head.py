"""The head of an HTTP/1 response as bytes; the order of fields is nginx's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.status import status_line

if TYPE_CHECKING:
    from gateway.http.request import Request


def decide_framing(request: Request) -> None:
    """How the end of the body is told: by length, chunked, or by closing (RFC 9112, 6.3)."""
    response = request.response
    status = response.status
    if request.method == b"HEAD":
        request.header_only = True
    if status in (204, 304) or status < 200:
        request.header_only = True
        if status == 204:
            response.content_type = None
            response.content_length = -1
            response.last_modified = -1
            response.last_modified_text = None
        return
    if request.http_version < 10 or (request.header_only and request.method != b"HEAD"):
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


def absolute_location(request: Request, location: bytes) -> bytes:
    """A Location with scheme, name and port, if `absolute_redirect` wants that."""
    core = request.location.core
    if location[:1] != b"/" or not core.absolute_redirect or (location[:2] == b"//" and False):
        return location
    connection = request.connection
    host = request.server.server_name if core.server_name_in_redirect else request.host or connection.server_addr
    port = connection.server_port
    default = 443 if connection.scheme == b"https" else 80
    if not core.port_in_redirect or port in (0, default):
        return connection.scheme + b"://" + host + location
    return b"%s://%s:%d%s" % (connection.scheme, host, port, location)


def render_head(request: Request, date: bytes) -> bytes:
    """Everything up to and including the empty line."""
    response = request.response
    core = request.location.core
    parts = [b"HTTP/1.1 ", response.status_text or status_line(response.status)]
    server = response.server
    if server is None:
        parts.append(core.server_header)
    elif server:
        parts += (b"\r\nServer: ", server)
    parts += (b"\r\nDate: ", response.date or date)
    content_type = response.content_type
    if content_type is not None:
        parts += (b"\r\nContent-Type: ", content_type)
        if response.charset:
            parts += (b"; charset=", response.charset)
    if response.content_length >= 0:
        parts.append(b"\r\nContent-Length: %d" % response.content_length)
    status = response.status
    if status in (200, 206, 304):
        last_modified = response.last_modified_value
        if last_modified is not None:
            parts += (b"\r\nLast-Modified: ", last_modified)
    if response.location is not None:
        location = response.location
        if location[:1] == b"/":
            location = absolute_location(request, location)
            response.location = location
        parts += (b"\r\nLocation: ", location)
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
    if response.etag is not None:
        parts += (b"\r\nETag: ", response.etag)
    if response.content_encoding is not None:
        parts += (b"\r\nContent-Encoding: ", response.content_encoding)
    for name, value in response.fields:
        parts += (b"\r\n", name, b": ", value)
    parts.append(b"\r\n\r\n")
    return b"".join(parts)
