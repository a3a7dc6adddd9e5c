"""sub: replaces strings in responses; ngx_http_sub_filter_module.

Of several strings that begin at one place, the one that was configured first counts, however the body was split; what
may be its beginning at the very end of the body is not looked at for the others, as in nginx. Case is ignored, of ASCII
letters alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
class Settings(Conf):
    pairs: Any = setting(())
    once: Any = setting(True)
    last_modified: Any = setting(False)
    types: Any = setting(HTML)


@dataclass(frozen=True, slots=True)
class Pair:
    wanted: Template
    value: Template


def set_pair(conf: Settings, command: Command) -> None:
    """sub_filter string replacement;"""
    wanted, value = command.args
    if not wanted:
        command.fail("empty search pattern")
    pairs = () if conf.pairs is UNSET else conf.pairs
    if len(pairs) == _MOST:
        command.fail("number of search patterns exceeds 255")
    lower = to_str(to_bytes(wanted).lower())
    conf.pairs = (*pairs, Pair(template(command, lower), template(command, value)))


class Search:
    """Finds the first of several strings, all in lower case."""

    def __init__(self, strings: dict[int, bytes]) -> None:
        """The strings by their numbers, in the order in which they count."""
        self.strings = strings
        self.longest = max(map(len, strings.values()))
        numbers = list(strings)
        self._only = numbers[0] if len(numbers) == 1 else -1
        self._numbers = numbers
        groups = b"|".join([b"(%b)" % re.escape(string) for string in strings.values()])
        self._pattern = re.compile(groups) if self._only < 0 else None

    def next(self, data: bytes, at: int) -> tuple[int, int]:
        """Where the first string is, from this place on, and its number; (-1, …) if none is there."""
        if self._pattern is None:
            return data.find(self.strings[self._only], at), self._only
        found = self._pattern.search(data, at)
        if found is None:
            return -1, 0
        assert found.lastindex is not None
        return found.start(), self._numbers[found.lastindex - 1]

    def unfinished(self, data: bytes, at: int, place: int, number: int) -> int:
        """Where a string may begin that goes on in what has not come, before what was found at a place; -1 if nowhere.

        At that very place it is one that counts more.
        """
        end = len(data)
        last = place if place >= 0 else end - 1
        for start in range(max(at, end - self.longest + 1), last + 1):
            tail = data[start:]
            for each, string in self.strings.items():
                if start == place and each == number:
                    break
                if len(string) > len(tail) and string.startswith(tail):
                    return start
        return -1


Value = Callable[["Request"], bytes]


class Substitution:
    """The body filter of one response."""

    def __init__(self, request: Request, search: Search, values: Sequence[Value], *, once: bool) -> None:
        self.request = request
        self.search: Search | None = search
        self.values = values
        self.once = once
        self.known: dict[int, bytes] = {}  # replacements that were evaluated
        self.held = b""  # what may be the beginning of a string

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        if self.search is None and not self.held:
            return pieces
        out: list[Piece] = []
        for piece in loaded(pieces):
            if isinstance(piece, Inserted):
                self._let_go(out)
                out.append(piece.piece)
            else:
                self._replace(piece, out)
        if last:
            self._let_go(out)
        return out

    def _let_go(self, out: list[Piece]) -> None:
        if self.held:
            out.append(self.held)
            self.held = b""

    def _replace(self, data: bytes, out: list[Piece]) -> None:
        if self.held:
            data = self.held + data
            self.held = b""
        lower = data.lower()
        at = 0
        while self.search is not None:
            place, number = self.search.next(lower, at)
            hold = self.search.unfinished(lower, at, place, number)
            if hold >= 0:
                self.held = data[hold:]
                data = data[:hold]
                break
            if place < 0:
                break
            if place > at:
                out.append(data[at:place])
            at = place + len(self.search.strings[number])
            value = self._value(number)
            if value:
                out.append(value)
        if at < len(data):
            out.append(data[at:] if at else data)

    def _value(self, number: int) -> bytes:
        value = self.known.get(number)
        if value is None:
            value = self.known[number] = self.values[number](self.request)
        if self.once:
            assert self.search is not None
            left = {each: string for each, string in self.search.strings.items() if each != number}
            self.search = Search(left) if left else None
        return value


def plan(settings: Settings, location: Location) -> Contribution:
    pairs: tuple[Pair, ...] = settings.pairs
    if not pairs:
        return NOTHING
    wanted = is_of(settings.types)
    values = [pair.value for pair in pairs]
    fixed: Search | None = None
    if all(pair.wanted.constant is not None for pair in pairs):
        fixed = Search({number: (pair.wanted.constant or b"").lower() for number, pair in enumerate(pairs)})

    def evaluate(request: Request) -> Search | None:
        strings = {number: pair.wanted(request).lower() for number, pair in enumerate(pairs)}
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
    location=Settings,
    directives=(
        Directive("sub_filter", EVERYWHERE, take(2), set_pair),
        Directive("sub_filter_types", EVERYWHERE, at_least(1), set_types),
        Directive("sub_filter_once", EVERYWHERE, FLAG, flag("once")),
        Directive("sub_filter_last_modified", EVERYWHERE, FLAG, flag("last_modified")),
    ),
    plan=plan,
)
