"""slice: a large answer is asked for in parts of equal size, each of which a cache keeps by itself; `$slice_range`.

ngx_http_slice_filter_module. The first part comes with the request, each other with a subrequest when the one before
has been sent. A range of the client's is cut out of the parts that it lies in, and no others are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, Directive, size, take
from gateway.config.units import MAX_INTEGER, number_of
from gateway.core.pieces import Piece
from gateway.core.variables import Variable
from gateway.http.module import ERROR, NOTHING, BodyFilter, Contribution, FilterFinalize, HttpModule
from gateway.http.subrequest import placed_clone
from gateway.modules.http.range import CONTENT_OFFSET, SinglePart

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_POSTPONED: Final = 1460  # less than postpone_output waits in nginx, and is lost when the connection ends
_CONTENT_RANGE: Final = re.compile(rb"bytes  *(\d+) *- *(\d+) */ *(?:(\d+)|\*) *")


@dataclass(slots=True)
class LocationConf(Conf):
    size: int = setting(0)


class Slices:
    """What the request and its subrequests know of one answer."""

    __slots__ = ("active", "end", "etag", "low", "size", "start")

    def __init__(self, size: int, start: int) -> None:
        self.size = size
        self.start = start  # of the part that is asked for
        self.end = 0  # of what the client gets
        self.low = 0  # where what it gets begins
        self.etag: bytes | None = None
        self.active = False  # the part came that was asked for

    @property
    def range(self) -> bytes:
        return b"bytes=%d-%d" % (self.start, self.start + self.size - 1)


def slice_range(request: Request) -> bytes | None:
    """$slice_range; to ask for it makes an answer one of slices."""
    found: Slices | None = request.state.get(module)
    if found is None:
        size: int = request.location.confs[module].size
        if not size or request.parent is not None or request.response.status:
            return None
        found = request.state[module] = Slices(size, size * (_first(request) // size))
    return found.range


def _first(request: Request) -> int:
    """The first byte that the client asks for, as far as it is clear."""
    field = request.head.range or b""
    if request.head.if_range is not None or len(field) < 7 or field[:6].lower() != b"bytes=" or b"," in field:
        return 0
    digits = re.match(rb" *(\d*)", field[6:])
    assert digits is not None
    number = number_of(digits[1] or b"0")
    return number if number <= MAX_INTEGER else 0


def _refuse(request: Request, words: bytes) -> FilterFinalize:
    request.log("error", words)
    main = request.main
    if main is not request and main.head_sent:
        main.log_status = main.log_status or main.response.status
        if main.output.pending() >= _POSTPONED:
            main.output.send(main, [], False, True)  # what is there of the answer reaches the client
    return FilterFinalize(ERROR)


def filter_head(request: Request) -> BodyFilter | None:
    """The head of a part becomes that of the whole."""
    slices: Slices | None = request.state.get(module)
    if slices is None:
        return None
    response = request.response
    main = request.parent is None
    if response.status != 206:
        if not main:
            raise _refuse(request, b"unexpected status code %d in slice response" % response.status)
        del request.state[module]
        return None
    if slices.etag is not None and response.etag != slices.etag:
        raise _refuse(request, b"etag mismatch in slice response")
    slices.etag = response.etag or slices.etag
    match = _CONTENT_RANGE.fullmatch(response.get(b"content-range") or b"")
    if match is None or any(number_of(number) > MAX_INTEGER for number in match.groups(b"0")):
        raise _refuse(request, b"invalid range in slice response")
    if match[3] is None:
        raise _refuse(request, b"no complete length in slice response")
    start, end, complete = number_of(match[1]), number_of(match[2]) + 1, number_of(match[3])
    wanted = min(start + slices.size, complete)
    if start != slices.start or end != wanted:
        words = b"unexpected range in slice response: %d-%d, expected: %d-%d" % (start, end, slices.start, wanted)
        raise _refuse(request, words)
    slices.start = wanted
    slices.active = True
    response.status = 200
    response.status_text = None
    response.content_length = complete
    response.remove(b"content-range")
    response.remove(b"accept-ranges")
    response.accept_ranges = response.single_range = True
    if not main:
        return SinglePart(slices.low, slices.end, start)
    slices.end = complete
    request.state[CONTENT_OFFSET] = start
    return Sequel(request, slices)


class Sequel(BodyFilter):
    """The body filter of the request: behind the first part the others follow."""

    __slots__ = ("begun", "request", "slices")
    passes_files = True

    def __init__(self, request: Request, slices: Slices) -> None:
        self.request = request
        self.slices = slices
        self.begun = False

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        if not self.begun:
            self.begun = True
            self._find_range()
        if not last or self.request.header_only:
            return pieces
        self._go_on(pieces)
        return None

    def _find_range(self) -> None:
        """Where the client gets a part of the whole, not all slices are wanted."""
        slices = self.slices
        for other in self.request.body_filters:
            if isinstance(other, SinglePart):
                slices.low, slices.end = other.start, other.end
                if slices.start + slices.size <= slices.low:
                    slices.start = slices.size * (slices.low // slices.size)

    def _go_on(self, pieces: list[Piece]) -> None:
        """One part is through; ask for the next."""
        request = self.request
        slices = self.slices
        if not slices.active:
            request.log("error", b"missing slice response")
            self._cut()
            return
        if slices.start >= slices.end:
            request.pass_on(self, pieces, True, False)
            return
        part = placed_clone(request)
        subrequests = request.subrequests
        place = subrequests.place_of(request) if subrequests is not None else None
        if part is None or part.place is None or place is None:
            self._cut()
            return
        part.state[module] = slices
        slices.active = False
        place.wait(part, lambda: self._go_on([]))
        request.pass_on(self, [*pieces, part.place.piece], False, False)

    def _cut(self) -> None:
        subrequests = self.request.subrequests
        self.request.abort()
        if subrequests is not None:
            subrequests.terminate(0)


_CONTRIBUTION = Contribution(head_filter=filter_head)


def plan(settings: LocationConf, location: Location) -> Contribution:
    return _CONTRIBUTION if settings.size else NOTHING


module = HttpModule(
    name="slice",
    location=LocationConf,
    directives=(Directive("slice", EVERYWHERE, take(1), size("size")),),
    variables=(Variable("slice_range", slice_range),),
    plan=plan,
)
