"""The head of an HTTP/1 response as bytes; the order of fields is nginx's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.head_writer import HeadWriter
from gateway.http.final_head import KeptHead, absolute_location, is_usual, leave_body_out, placed_value
from gateway.http.response import PLACED, http_date
from gateway.http.status import status_line

if TYPE_CHECKING:
    from gateway.http.request import Request

_OUT: Final = HeadWriter()


def decide_framing(request: Request) -> None:
    """How the end of the body is told: by length, chunked, or by closing (RFC 9112, 6.3)."""
    if request.http_version < 10 or leave_body_out(request):
        return
    response = request.response
    if response.status < 200:
        return  # an interim answer that was meant to be the last one: as nginx, what follows it goes on as it is
    if request.method == b"CONNECT" and response.status < 300:
        return  # what follows is a tunnel's, or the connection's to its end (RFC 9112, 6.3)
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


def render_head(request: Request, date: bytes) -> bytes:
    """Everything up to and including the empty line."""
    response = request.response
    if request.chunked or response.status == 101 or not is_usual(response):
        return _render(request, date)
    core = request.location.core
    kept: KeptHead = core.kept_head
    if kept is None:
        kept = core.kept_head = KeptHead()
    if not kept.is_of(response, request.keepalive, date):
        kept.head = _render(request, date)
    return kept.head


def _render(request: Request, date: bytes) -> bytes:
    response = request.response
    core = request.location.core
    listed = response.listed
    status = response.status
    _OUT.begin()
    _OUT.put(b"HTTP/1.1 ")
    _OUT.put(status_line(status) if response.status_text is None else response.status_text)
    server = response.server
    if server is None:
        _OUT.put(core.server_header)
    elif server and (listed is None or b"server" not in listed):
        _OUT.put(b"\r\nServer: ")
        _OUT.put(server)
    if response.date is None:
        _OUT.put(b"\r\nDate: ")
        _OUT.put(date)
    elif response.date and (listed is None or b"date" not in listed):
        _OUT.put(b"\r\nDate: ")
        _OUT.put(response.date)
    content_type = response.content_type
    if content_type:
        _OUT.put(b"\r\nContent-Type: ")
        _OUT.put(content_type)
        if response.charset:
            if response.charset_text is not None:
                _OUT.put(response.charset_text)
            else:
                _OUT.put(b"; charset=")
                _OUT.put(response.charset)
    if response.content_length >= 0:
        _OUT.put(b"\r\nContent-Length: ")
        _OUT.put_number(response.content_length)
    if (status == 200 or status == 206 or status == 304) and (listed is None or b"last-modified" not in listed):
        last_modified = response.last_modified_text
        if last_modified is None and response.last_modified >= 0:
            last_modified = http_date(response.last_modified)
        if last_modified is not None:
            _OUT.put(b"\r\nLast-Modified: ")
            _OUT.put(last_modified)
    location = response.location
    if location is not None and location[:1] == b"/" and core.absolute_redirect:
        location = response.location = absolute_location(request, location)
        _OUT.put(b"\r\nLocation: ")
        _OUT.put(location)
        location = None
    if request.chunked:
        _OUT.put(b"\r\nTransfer-Encoding: chunked")
    if status == 101:
        _OUT.put(b"\r\nConnection: upgrade")
    elif request.keepalive:
        _OUT.put(b"\r\nConnection: keep-alive")
        if core.keepalive_header:
            _OUT.put(b"\r\nKeep-Alive: timeout=")
            _OUT.put_number(core.keepalive_header)
    else:
        _OUT.put(b"\r\nConnection: close")
    if response.gzip_vary:
        _OUT.put(b"\r\nVary: Accept-Encoding")
    # One that stays as it is goes with the other fields, as in nginx.
    if location is not None and (listed is None or b"location" not in listed):
        _OUT.put(b"\r\nLocation: ")
        _OUT.put(location)
    if response.etag is not None and (listed is None or b"etag" not in listed):
        _OUT.put(b"\r\nETag: ")
        _OUT.put(response.etag)
    if response.content_encoding is not None and (listed is None or b"content-encoding" not in listed):
        _OUT.put(b"\r\nContent-Encoding: ")
        _OUT.put(response.content_encoding)
    for name, value in response.fields:
        if value is PLACED:
            placed = location if name.lower() == b"location" else placed_value(response, name.lower())
            if placed is None:
                continue
            value = placed
        _OUT.put(b"\r\n")
        _OUT.put(name)
        _OUT.put(b": ")
        _OUT.put(value)
    _OUT.put(b"\r\n\r\n")
    return _OUT.end()
