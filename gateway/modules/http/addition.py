"""addition: what subrequests answer, before and behind a response; ngx_http_addition_filter_module.

What comes behind the body does so also when the body is a document of ssi that waits; nginx puts it in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, Directive, at_least, string, take
from gateway.config.text import to_bytes
from gateway.core.pieces import Piece
from gateway.http.media_types import HTML, is_of, set_types
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.subrequest import placed

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    before: str = setting("")
    after: str = setting("")
    types: frozenset[bytes] = setting(HTML)


class Addition(BodyFilter):
    """The body filter: places in front of the first part, and behind the last."""

    __slots__ = ("after", "before", "request")
    passes_files = True

    def __init__(self, request: Request, before: bytes, after: bytes) -> None:
        self.request = request
        self.before = before
        self.after = after

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        if self.request.header_only:
            return pieces
        if self.before:
            pieces = [*self._place(self.before), *pieces]
            self.before = b""
        if last and self.after:
            pieces = [*pieces, *self._place(self.after)]
        return pieces

    def _place(self, uri: bytes) -> list[Piece]:
        subrequest = placed(self.request, uri)
        if subrequest is None or subrequest.place is None:
            self.request.abort()
            return []
        return [subrequest.place.piece]


def adds(settings: LocationConf) -> bool:
    return bool(settings.before or settings.after)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not adds(settings):
        return NOTHING
    wanted = is_of(settings.types)
    before, after = to_bytes(settings.before), to_bytes(settings.after)

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.status != 200 or request.parent is not None or not wanted(response):
            return None
        response.clear_content_length()
        response.clear_accept_ranges()
        response.weaken_etag()
        return Addition(request, before, after)

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="addition",
    location=LocationConf,
    directives=(
        Directive("add_before_body", EVERYWHERE, take(1), string("before")),
        Directive("add_after_body", EVERYWHERE, take(1), string("after")),
        Directive("addition_types", EVERYWHERE, at_least(1), set_types),
    ),
    plan=plan,
)
