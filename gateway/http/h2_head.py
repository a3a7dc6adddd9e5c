"""The head of a response as fields for HPACK; the order is nginx's, names are in lower case (RFC 9113, 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.final_head import absolute_location, leave_body_out
from gateway.http.response import PLACED

if TYPE_CHECKING:
    from gateway.http.request import Request

Fields = list[tuple[bytes, bytes]]

# Of a connection, and so of HTTP/1 alone (RFC 9113, 8.2.2).
_HTTP1_ONLY: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_SERVER_AT: Final = len(b"\r\nServer: ")


def decide_end(request: Request) -> bool:
    """Whether the response ends with its head."""
    response = request.response
    if leave_body_out(request) or request.header_only:
        return True
    return response.content_length == 0 and response.trailers is None


def response_fields(request: Request, date: bytes) -> Fields:
    """All fields of the head, :status first."""
    response = request.response
    core = request.location.core
    listed: set[bytes] | frozenset[bytes] = response.listed or frozenset()
    status = response.status
    fields: Fields = [(b":status", b"%03d" % status)]
    if response.server is None:
        if core.server_header:
            fields.append((b"server", core.server_header[_SERVER_AT:]))
    elif response.server and b"server" not in listed:
        fields.append((b"server", response.server))
    if response.date is None:
        fields.append((b"date", date))
    elif response.date and b"date" not in listed:
        fields.append((b"date", response.date))
    content_type = response.full_content_type
    if content_type:
        fields.append((b"content-type", content_type))
    if response.content_length >= 0:
        fields.append((b"content-length", b"%d" % response.content_length))
    if status in (200, 206, 304) and b"last-modified" not in listed:
        last_modified = response.last_modified_value
        if last_modified is not None:
            fields.append((b"last-modified", last_modified))
    location = response.location
    if location is not None:
        if location[:1] == b"/" and core.absolute_redirect:
            location = response.location = absolute_location(request, location)
        if b"location" not in listed:
            fields.append((b"location", location))
    if response.gzip_vary:
        fields.append((b"vary", b"Accept-Encoding"))
    if response.etag is not None and b"etag" not in listed:
        fields.append((b"etag", response.etag))
    if response.content_encoding is not None and b"content-encoding" not in listed:
        fields.append((b"content-encoding", response.content_encoding))
    placed = {
        b"location": location,
        b"etag": response.etag,
        b"last-modified": response.last_modified_text,
        b"content-encoding": response.content_encoding,
        b"date": response.date,
        b"server": response.server,
    }
    for name, value in response.fields:
        lower = name.lower()
        if value is PLACED:
            attribute = placed[lower]
            if attribute is None:
                continue
            value = attribute
        if lower not in _HTTP1_ONLY:
            fields.append((lower, value))
    return fields


def other_fields(fields: Fields) -> Fields:
    """Trailers, or the fields of an early hint, as HTTP/2 has them."""
    return [(name.lower(), value) for name, value in fields if name.lower() not in _HTTP1_ONLY]
