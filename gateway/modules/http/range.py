"""range: parts of a response (RFC 9110, 14), one or several."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.cut import first, rest
from gateway._fast.head_writer import HeadWriter
from gateway.config.units import MAX_INTEGER, number_of
from gateway.core.pieces import FileSlice, Piece, length
from gateway.core.pieces import total as summed
from gateway.http.module import BodyFilter, Contribution, Count, FilterFinalize, HttpModule
from gateway.http.response import parse_http_date
from gateway.http.response_fields import set_line

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

UNLIMITED: Final = (1 << 31) - 1  # max_ranges by default

_OUT: Final = HeadWriter()

# In a request's state: where in the whole its body begins.
CONTENT_OFFSET: Final = "content offset"

Part = tuple[int, int]  # first byte, and the one behind the last


class NotSatisfiable(Exception):
    """No byte of the response is asked for, or the field is malformed: 416."""


def filter_head(request: Request) -> BodyFilter | None:
    """206 with the parts that were asked for; Accept-Ranges where parts could be asked for."""
    response = request.response
    if not response.accept_ranges or response.status != 200 or request.http_version < 10:
        return None
    total = response.content_length
    if total < 0 or request.parent is not None:
        return None
    head = request.head
    field = head.range if head.has_range else None
    core = request.location.core
    limit = core.max_ranges
    if limit == 0:
        return None
    if field is None or len(field) < 7 or not _in_bytes(field) or not _if_range(request):
        response.fields.append((b"Accept-Ranges", b"bytes"))
        return None
    part = only_part(field, 6, total)
    if part is not None:
        return _single(request, part, total)
    try:
        parts = parse(field[6:], total, 1 if response.single_range else limit)
    except NotSatisfiable:
        response.remove(b"content-range")  # of what an error_page of 416 takes the place of
        response.fields.append((b"Content-Range", b"bytes */%d" % total))
        response.clear_content_length()
        raise FilterFinalize(416, keeps=True) from None
    if parts is None:
        response.fields.append((b"Accept-Ranges", b"bytes"))
        return None
    if len(parts) == 1:
        return _single(request, SinglePart(*parts[0]), total)
    response.status = 206
    response.status_text = None
    return _multipart(request, parts, total)


def _single(request: Request, part: SinglePart, total: Count) -> BodyFilter:
    response = request.response
    response.status = 206
    response.status_text = None
    _OUT.begin()
    _OUT.put(b"bytes ")
    _OUT.put_number(part.start)
    _OUT.put(b"-")
    _OUT.put_number(part.end - 1)
    _OUT.put(b"/")
    _OUT.put_number(total)
    set_line(response, (b"Content-Range", _OUT.end()), b"content-range")
    response.content_length = part.end - part.start
    if response.single_range:  # of slices
        part.offset = request.state.get(CONTENT_OFFSET, 0)
    return part


def _in_bytes(field: bytes) -> bool:
    return field.startswith(b"bytes=") or field[:6].lower() == b"bytes="


def _if_range(request: Request) -> bool:
    """Whether the validator of If-Range, if there is one, is that of the response."""
    field = request.head.if_range
    if field is None:
        return True
    response = request.response
    if len(field) > 2 and field.endswith(b'"'):
        return bool(response.etag == field)
    if response.last_modified < 0:
        return False
    return parse_http_date(field) == response.last_modified


def only_part(field: bytes, at: Count, total: Count) -> SinglePart | None:
    """The part of one specifier as most write it, from this place of the field on; of all else parse() judges."""
    begin = -1
    number = 0
    digits = 0
    dash = False
    size = len(field)
    while at < size:
        byte = field[at]
        at += 1
        if 48 <= byte <= 57:
            digits += 1
            if digits > 18:
                return None
            number = number * 10 + byte - 48
        elif byte == 45 and not dash:
            dash = True
            if digits:
                begin = number
            number = 0
            digits = 0
        else:
            return None
    if not dash:
        return None
    start, end = begin, total
    if begin >= 0:
        if digits and number + 1 < total:
            end = number + 1
    elif digits:
        start = total - number if number < total else 0
    else:
        return None
    return SinglePart(start, end) if start < end else None


def parse(text: bytes, total: int, limit: int) -> list[Part] | None:
    """The parts of a byte-ranges-specifier; None to send the whole (too many, or more bytes than the whole has)."""
    parts: list[Part] = []
    size = 0
    unlimited = limit == UNLIMITED
    for item in text.split(b","):
        first, dash, last = item.partition(b"-")
        first, last = first.strip(b" "), last.rstrip(b" ")
        if first:
            last = last.lstrip(b" ")
        if not dash or (first and not first.isdigit()) or (last and not last.isdigit()) or not (first or last):
            raise NotSatisfiable
        low, high = number_of(first or b"0"), number_of(last or b"0")
        if max(low, high) > MAX_INTEGER:
            raise NotSatisfiable
        if first:
            start = low
            end = min(high + 1, total) if last else total
        else:
            start = max(0, total - high)
            end = total
        if start < end:
            parts.append((start, end))
            size += end - start
            limit -= 1
            if limit < 0:
                return None
        elif start == 0:
            return None  # nothing to cut off a body without a byte
    if not parts:
        raise NotSatisfiable
    if len(parts) == 1:
        return parts
    # by default the parts, each with a head of its own, must not need notably more room than the whole
    if size > total or (unlimited and size + len(parts) * 256 > total + 4096):
        return None
    return parts


def cut(pieces: list[Piece], offset: Count, start: Count, end: Count) -> list[Piece]:
    """What of these pieces, the first of which is at `offset`, lies between start and end."""
    found: list[Piece] = []
    for piece in pieces:
        size = length(piece)
        low = start - offset if start > offset else 0
        high = end - offset if end - offset < size else size
        if low < high:
            if isinstance(piece, FileSlice):
                found.append(FileSlice(piece.fd, piece.offset + low, high - low, piece.owner))
            else:
                data: bytes = piece
                if high < size:
                    data = first(data, high)
                found.append(rest(data, low) if low else data)
        offset += size
    return found


class SinglePart:
    """The body filter: lets one part through as the body goes by."""

    first = True
    passes_files = False
    room = 0

    def __init__(self, start: Count, end: Count, offset: Count = 0) -> None:
        """`offset`: where in the whole the body begins that goes by."""
        self.start = start
        self.end = end
        self.offset = offset

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        found = cut(pieces, self.offset, self.start, self.end)
        self.offset += summed(pieces)
        return found


class MultiPart(BodyFilter):
    """Puts several parts together when all of the body is known."""

    __slots__ = ("end", "heads", "kept", "parts")
    first = True

    def __init__(self, parts: list[Part], heads: list[bytes], end: bytes) -> None:
        self.parts = parts
        self.heads = heads
        self.end = end
        self.kept: list[Piece] = []

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        self.kept += pieces
        if not last:
            return []
        found: list[Piece] = []
        for (start, end), head in zip(self.parts, self.heads, strict=True):
            found.append(head)
            found += cut(self.kept, 0, start, end)
        found.append(self.end)
        return found


def _multipart(request: Request, parts: list[Part], total: int) -> MultiPart:
    response = request.response
    boundary = b"%020d" % random.randrange(10**20)
    content_type = response.full_content_type
    line = b"Content-Type: %s\r\n" % content_type if content_type else b""
    heads = [
        b"\r\n--%s\r\n%sContent-Range: bytes %d-%d/%d\r\n\r\n" % (boundary, line, start, end - 1, total)
        for start, end in parts
    ]
    tail = b"\r\n--%s--\r\n" % boundary
    response.content_type = b"multipart/byteranges; boundary=" + boundary
    response.charset = None
    response.remove(b"content-range")  # an upstream's own
    response.content_length = sum(end - start for start, end in parts) + sum(map(len, heads)) + len(tail)
    return MultiPart(parts, heads, tail)


_CONTRIBUTION = Contribution(head_filter=filter_head)


def plan(settings: Any, location: Location) -> Contribution:
    return _CONTRIBUTION


module = HttpModule(name="range", plan=plan)
