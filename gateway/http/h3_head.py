"""The head of a response as HTTP/3 has it: a list of fields for QPACK, in nginx's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.final_head import absolute_location, placed_value
from gateway.http.response import PLACED

if TYPE_CHECKING:
    from gateway.http.request import Request

Fields = list[tuple[bytes, bytes]]

TOO_LARGE: Final[Fields] = []  # what stands for a head that is

# Of a connection, and so of HTTP/1 alone (RFC 9114, 4.2).
_HTTP1_ONLY: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_SERVER_AT: Final = len(b"\r\nServer: ")


def response_fields(request: Request, date: bytes) -> Fields:
    """All fields of the head."""
    response = request.response
    core = request.location.core
    listed = response.listed or ()
    status = response.status
    fields: Fields = [(b":status", b"%03d" % status)]

    def put(name: bytes, value: bytes | None) -> None:
        if value and name not in listed:
            fields.append((name, value))

    if response.server is not None:
        put(b"server", response.server)
    elif core.server_header:
        fields.append((b"server", core.server_header[_SERVER_AT:]))
    put(b"date", date if response.date is None else response.date)
    if response.full_content_type:
        fields.append((b"content-type", response.full_content_type))
    if response.content_length >= 0:
        fields.append((b"content-length", b"%d" % response.content_length))
    if status in (200, 206, 304):
        put(b"last-modified", response.last_modified_value)
    location = response.location
    if location is not None:
        if location[:1] == b"/" and core.absolute_redirect:
            location = response.location = absolute_location(request, location)
        if b"location" not in listed:
            fields.append((b"location", location))  # also an empty one, which the older versions leave out
    if response.gzip_vary:
        fields.append((b"vary", b"accept-encoding"))  # as in QPACK's table
    put(b"etag", response.etag)
    put(b"content-encoding", response.content_encoding)
    for name, value in response.fields:
        lower = name.lower()
        if value is PLACED:
            placed = placed_value(response, lower)
            if placed is None:
                continue
            value = placed
        if lower not in _HTTP1_ONLY:
            fields.append((lower, value))
    return fields


def others(fields: Fields) -> Fields:
    """Of early hints and trailers."""
    return [(name.lower(), value) for name, value in fields if name.lower() not in _HTTP1_ONLY]


def literals(fields: Fields) -> bytes:
    """The fields as HPACK has them without any reference, which is what heads are read from."""
    return b"".join([b"\x00" + _string(name) + _string(value) for name, value in fields])


def _string(text: bytes) -> bytes:
    size = len(text)
    if size < 0x7F:
        return bytes((size,)) + text
    rest = bytearray(b"\x7f")
    size -= 0x7F
    while size >= 0x80:
        rest.append(size & 0x7F | 0x80)
        size >>= 7
    rest.append(size)
    return bytes(rest) + text
