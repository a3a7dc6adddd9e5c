"""The head of a response as a block of fields; the order is nginx's, names are in lower case (RFC 9113, 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.http2_writer import FieldWriter
from gateway.http.final_head import KeptHead, absolute_location, is_usual, leave_body_out, placed_value
from gateway.http.module import Count
from gateway.http.response import PLACED

if TYPE_CHECKING:
    from gateway.http.request import Request

Fields = list[tuple[bytes, bytes]]

# Of a connection, and so of HTTP/1 alone (RFC 9113, 8.2.2).
_HTTP1_ONLY: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_SERVER_AT: Final = len(b"\r\nServer: ")

_OUT: Final = FieldWriter()

# Where names stand in HPACK's static table.
_STATUS: Final = 8
_CONTENT_LENGTH: Final = 28
_CONTENT_TYPE: Final = 31
_DATE: Final = 33
_ETAG: Final = 34
_LAST_MODIFIED: Final = 44
_LOCATION: Final = 46
_SERVER: Final = 54
_VARY: Final = 59
_CONTENT_ENCODING: Final = 26


def decide_end(request: Request) -> bool:
    """Whether the response ends with its head."""
    response = request.response
    if leave_body_out(request) or request.header_only:
        return True
    return response.content_length == 0 and response.trailers is None


def response_block(request: Request, date: bytes) -> bytes:
    """All fields of the head."""
    response = request.response
    if not is_usual(response):
        return _render(request, date)
    core = request.location.core
    kept: KeptHead = core.kept_block
    if kept is None:
        kept = core.kept_block = KeptHead()
    if not kept.is_of(response, False, date):
        kept.head = _render(request, date)
    return kept.head


def _render(request: Request, date: bytes) -> bytes:
    response = request.response
    core = request.location.core
    listed = response.listed
    status = response.status
    _OUT.begin()
    _put_status(status)
    server = response.server
    if server is None:
        if core.server_header:
            _OUT.known(_SERVER, core.server_header[_SERVER_AT:])
    elif server and (listed is None or b"server" not in listed):
        _OUT.known(_SERVER, server)
    if response.date is None:
        _OUT.known(_DATE, date)
    elif response.date and (listed is None or b"date" not in listed):
        _OUT.known(_DATE, response.date)
    content_type = response.full_content_type
    if content_type:
        _OUT.known(_CONTENT_TYPE, content_type)
    if response.content_length >= 0:
        _OUT.known(_CONTENT_LENGTH, b"%d" % response.content_length)
    if (status == 200 or status == 206 or status == 304) and (listed is None or b"last-modified" not in listed):
        last_modified = response.last_modified_value
        if last_modified is not None:
            _OUT.known(_LAST_MODIFIED, last_modified)
    location = response.location
    if location is not None:
        if location[:1] == b"/" and core.absolute_redirect:
            location = response.location = absolute_location(request, location)
        if listed is None or b"location" not in listed:
            _OUT.known(_LOCATION, location)
    if response.gzip_vary:
        _OUT.known(_VARY, b"Accept-Encoding")
    if response.etag is not None and (listed is None or b"etag" not in listed):
        _OUT.known(_ETAG, response.etag)
    if response.content_encoding is not None and (listed is None or b"content-encoding" not in listed):
        _OUT.known(_CONTENT_ENCODING, response.content_encoding)
    for name, value in response.fields:
        if value is PLACED:
            placed = placed_value(response, name.lower())
            if placed is None:
                continue
            value = placed
        if name.lower() not in _HTTP1_ONLY:
            _OUT.field(name, value)
    return _OUT.end()


def _put_status(status: Count) -> None:
    for index, known in ((8, 200), (9, 204), (10, 206), (11, 304), (12, 400), (13, 404), (14, 500)):
        if status == known:
            _OUT.indexed(index)
            return
    _OUT.known(_STATUS, b"%03d" % status)


def early_hints_block(fields: Fields) -> bytes:
    """A 103 with these fields."""
    _OUT.begin()
    _put_status(103)
    _put_others(fields)
    return _OUT.end()


def trailers_block(fields: Fields) -> bytes:
    """Trailers; b"" if there are none."""
    _OUT.begin()
    _put_others(fields)
    return _OUT.end()


def _put_others(fields: Fields) -> None:
    for name, value in fields:
        if name.lower() not in _HTTP1_ONLY:
            _OUT.field(name, value)
