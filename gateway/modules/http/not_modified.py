"""not_modified: conditional requests (RFC 9110, 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.http.module import BodyFilter, Contribution, FilterFinalize, HttpModule
from gateway.http.response import parse_http_date

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


def filter_head(request: Request) -> BodyFilter | None:
    """304 or 412 instead of a 200 that the client's conditions rule out."""
    response = request.response
    head = request.head
    if not head.conditional or response.status != 200 or request.parent is not None or response.disable_not_modified:
        return None
    unmodified_since = head.get(b"if-unmodified-since")
    if unmodified_since is not None and not _unmodified(request, unmodified_since):
        raise FilterFinalize(412)
    match = head.get(b"if-match")
    if match is not None and not _matches(response.etag, match, False):
        raise FilterFinalize(412)
    modified_since = head.get(b"if-modified-since")
    none_match = head.get(b"if-none-match")
    if modified_since is None and none_match is None:
        return None
    if modified_since is not None and _modified(request, modified_since):
        return None
    if none_match is not None and not _matches(response.etag, none_match, True):
        return None
    response.status = 304
    response.status_text = None
    response.content_type = None
    response.charset = None
    response.content_encoding = None
    response.clear_content_length()
    response.clear_accept_ranges()
    return None


def _unmodified(request: Request, field: bytes) -> bool:
    last_modified = request.response.last_modified
    date = parse_http_date(field)
    return last_modified >= 0 and date is not None and date >= last_modified


def _modified(request: Request, field: bytes) -> bool:
    last_modified = request.response.last_modified
    mode = request.location.core.if_modified_since
    if last_modified < 0 or mode == "off":
        return True
    if field == request.response.last_modified_text:
        return False
    date = parse_http_date(field)
    if date == last_modified:
        return False
    return mode == "exact" or date is None or date < last_modified


def _matches(etag: bytes | None, field: bytes, weak: bool) -> bool:
    """Whether a list of entity tags holds this one; by weak comparison `W/` is of no account."""
    if field == etag or field == b"*":
        return True
    if etag is None:
        return False
    if weak and etag.startswith(b"W/"):
        etag = etag[2:]
    at, end = 0, len(field)
    while at < end:
        if weak and field[at : at + 2] == b"W/":
            at += 2
        if field.startswith(etag, at):
            after = at + len(etag)
            while after < end and field[after] in b" \t":
                after += 1
            if after == end or field[after : after + 1] == b",":
                return True
        comma = field.find(b",", at)
        if comma < 0:
            return False
        at = comma + 1
        while at < end and field[at] in b" \t,":
            at += 1
    return False


_CONTRIBUTION = Contribution(head_filter=filter_head)


def plan(settings: Any, location: Location) -> Contribution:
    return _CONTRIBUTION


module = HttpModule(name="not_modified", plan=plan)
