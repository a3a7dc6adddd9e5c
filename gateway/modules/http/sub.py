"""sub: replaces strings in responses; ngx_http_sub_filter_module.

Of several strings that begin at one place, the one that was configured first counts, however the body was split; what
may be its beginning at the very end of the body is not looked at for the others, as in nginx. Case is ignored, of ASCII
letters alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.search import Replacer, Search
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Command, Directive, at_least, flag, take
from gateway.config.text import to_bytes, to_str
from gateway.core.pieces import Inserted, Piece, loaded
from gateway.core.template import Template
from gateway.http.media_types import HTML, is_of, set_types
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_MOST: Final = 255


@dataclass(slots=True)
class LocationConf(Conf):
    pairs: tuple[Pair, ...] = setting(())
    once: bool = setting(True)
    last_modified: bool = setting(False)
    types: frozenset[bytes] = setting(HTML)


@dataclass(frozen=True, slots=True)
class Pair:
    wanted: Template
    value: Template


def set_pair(conf: LocationConf, command: Command) -> None:
    """sub_filter string replacement;"""
    wanted, value = command.args
    if not wanted:
        command.fail("empty search pattern")
    pairs = () if conf.pairs is UNSET else conf.pairs
    if len(pairs) == _MOST:
        command.fail("number of search patterns exceeds 255")
    lower = to_str(to_bytes(wanted).lower())
    conf.pairs = (*pairs, Pair(template(command, lower), template(command, value)))


Value = Callable[["Request"], bytes]


class Substitution(BodyFilter):
    """The body filter of one response."""

    def __init__(self, request: Request, search: Search, values: Sequence[Value], *, once: bool) -> None:
        self.replacer = Replacer(search, lambda number: values[number](request), once)

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        replacer = self.replacer
        if replacer.done and not replacer.held:
            return pieces
        out: list[Any] = []
        for piece in loaded(pieces):
            if not isinstance(piece, Inserted):
                replacer.feed(piece, out)
                continue
            if held := replacer.finish():
                out.append(held)
            out.append(piece)
        if last and (held := replacer.finish()):
            out.append(held)
        return out


def plan(settings: LocationConf, location: Location) -> Contribution:
    pairs: tuple[Pair, ...] = settings.pairs
    if not pairs:
        return NOTHING
    wanted = is_of(settings.types)
    values = [pair.value for pair in pairs]
    fixed: Search | None = None
    if all(pair.wanted.constant is not None for pair in pairs):
        fixed = Search({number: pair.wanted.constant or b"" for number, pair in enumerate(pairs)})

    def evaluate(request: Request) -> Search | None:
        strings = {number: pair.wanted(request) for number, pair in enumerate(pairs)}
        strings = {number: string for number, string in strings.items() if string}
        return Search(strings) if strings else None

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.content_length == 0 or not wanted(response):
            return None
        search = fixed or evaluate(request)
        if search is None:
            return None
        if request.parent is None:
            response.clear_content_length()
            if settings.last_modified:
                response.weaken_etag()
            else:
                response.clear_last_modified()
                response.etag = None
        return Substitution(request, search, values, once=settings.once)

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="sub",
    location=LocationConf,
    directives=(
        Directive("sub_filter", EVERYWHERE, take(2), set_pair),
        Directive("sub_filter_types", EVERYWHERE, at_least(1), set_types),
        Directive("sub_filter_once", EVERYWHERE, FLAG, flag("once")),
        Directive("sub_filter_last_modified", EVERYWHERE, FLAG, flag("last_modified")),
    ),
    plan=plan,
)
