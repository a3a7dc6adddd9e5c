"""headers: `add_header`, `add_trailer`, `expires`, and how they inherit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, LIF, Command, Directive, enum_, take
from gateway.config.text import to_bytes
from gateway.core.pieces import Piece
from gateway.core.template import Template
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.part import Part
from gateway.http.response import http_date, parse_http_date
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

# Without `always` a field is added to these alone.
_SAFE: Final = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
_EPOCH: Final = b"Thu, 01 Jan 1970 00:00:01 GMT"
_MAX: Final = b"Thu, 31 Dec 2037 23:55:55 GMT"
_DAY: Final = 24 * 3600


@dataclass(slots=True)
class LocationConf(Conf):
    headers: Sequence[Field] = setting(())
    trailers: Sequence[Field] = setting(())
    expires: Expires | tuple[Template, bool] | None = setting(None)
    header_inherit: str = setting("on")
    trailer_inherit: str = setting("on")

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        own_headers, own_trailers = self.headers, self.trailers
        Conf.merge(self, outer, nameless)
        if outer is not None:
            self.headers = _inherit(own_headers, outer.headers, self.header_inherit)
            self.trailers = _inherit(own_trailers, outer.trailers, self.trailer_inherit)


def _inherit(own: Any, outer: Any, mode: str) -> Any:
    """add_header_inherit: `on` takes the outer block's where it has none, `merge` both, its own first, `off` none."""
    mine = () if own is UNSET else tuple(own)
    if mode == "merge":
        return (*mine, *outer)
    return mine or (outer if mode == "on" else ())


# What a field stands for: one that is a line of its own, or one that the response has an attribute for.
_PLAIN: Final = 0
_LAST_MODIFIED: Final = 1
_ETAG: Final = 2


class Field:
    """One `add_header`, or `add_trailer`."""

    def __init__(self, name: bytes, value: Template, always: bool) -> None:
        self.name = name
        self.value = value
        self.always = always
        lower = name.lower()
        self.kind: int = {b"last-modified": _LAST_MODIFIED, b"etag": _ETAG}.get(lower, _PLAIN)
        # the line, where nothing has to be evaluated
        self.line = (name, value.constant) if value.constant and self.kind == _PLAIN else None

    def add(self, request: Request) -> None:
        response = request.response
        value: bytes = self.value.value(request)
        if self.kind == _PLAIN:
            if value:
                response.fields.append((self.name, value))
        elif self.kind == _LAST_MODIFIED:
            response.clear_last_modified()
            if value:
                seconds = parse_http_date(value)
                response.last_modified_text = value
                response.last_modified = -1 if seconds is None else seconds
                response.place(self.name, b"last-modified")
        else:
            if value and response.etag is None:
                response.place(self.name, b"etag")
            response.etag = value or None


@dataclass(frozen=True, slots=True)
class Expires:
    """A parsed `expires`: `kind` is off, epoch, max, access, modified or daily; `seconds` its time."""

    kind: str
    seconds: int = 0


def parse_expires(words: list[str]) -> Expires:
    """Errors: ValueError with nginx's words."""
    kind, text = "access", words[-1]
    if len(words) == 2:
        if words[0] != "modified":
            raise ValueError("invalid value")
        kind = "modified"
    elif text in ("off", "epoch", "max"):
        return Expires(text)
    if text.startswith("@"):
        if kind == "modified":
            raise ValueError('daily time cannot be used with "modified" parameter')
        kind, text = "daily", text[1:]
    sign = 1
    if text[:1] in "+-" and text:
        if kind == "daily":
            raise ValueError("invalid value")
        sign = -1 if text[0] == "-" else 1
        text = text[1:]
    seconds = units.parse_seconds(text)
    if kind == "daily" and seconds > _DAY:
        raise ValueError("daily time value must be less than 24 hours")
    return Expires(kind, sign * seconds)


def _add_field(name: str) -> Any:
    def set_field(conf: LocationConf, command: Command) -> None:
        if getattr(conf, name) is UNSET:
            setattr(conf, name, [])
        args = command.args
        if len(args) == 3 and args[2] != "always":
            command.fail(f'invalid parameter "{args[2]}"')
        getattr(conf, name).append(Field(to_bytes(args[0]), template(command, args[1]), len(args) == 3))

    return set_field


def set_expires(conf: LocationConf, command: Command) -> None:
    command.once(conf.expires)
    value = template(command, command.args[-1])
    modified = len(command.args) == 2
    if value.constant is None:
        if modified and command.args[0] != "modified":
            command.refuse("invalid value")
        conf.expires = (value, modified)
        return
    try:
        conf.expires = parse_expires(command.args)
    except ValueError as error:
        command.refuse(str(error) if "daily" in str(error) else "invalid value")


class AddFields(Part):
    """The head filter of one location."""

    def __init__(self, settings: LocationConf) -> None:
        self.fields: tuple[Field, ...] = tuple(settings.headers)
        self.trailers: tuple[Field, ...] = tuple(settings.trailers)
        self.expires: Any = settings.expires  # Expires, or (its template, whether it is counted from Last-Modified)

    def run(self, request: Request) -> BodyFilter | None:
        if request.parent is not None:
            return None
        response = request.response
        status = response.status
        safe = status == 200 or status in _SAFE
        expires = self.expires
        if expires is not None and safe:
            found = expires if isinstance(expires, Expires) else _evaluate(expires, request)
            if found.kind != "off":
                _set_expires(request, found)
        for field in self.fields:
            if safe or field.always:
                if field.line is not None:
                    response.fields.append(field.line)
                else:
                    field.add(request)
        if self.trailers:
            wanted = [field for field in self.trailers if safe or field.always]
            if wanted and not request.header_only:
                response.trailers = response.trailers or []
                return _Trailers(request, wanted)
        return None


def plan(settings: LocationConf, location: Location) -> Contribution:
    expires = settings.expires
    if not settings.headers and not settings.trailers and (expires is None or expires == Expires("off")):
        return NOTHING
    return Contribution(head_filter=AddFields(settings))


class _Trailers(BodyFilter):
    """The body filter: trailers are evaluated when the last of the body goes out."""

    __slots__ = ("fields", "request")
    passes_files = True

    def __init__(self, request: Request, fields: list[Field]) -> None:
        self.request = request
        self.fields = fields

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        if last:
            trailers = self.request.response.trailers
            assert trailers is not None
            for field in self.fields:
                value = field.value(self.request)
                if value:
                    trailers.append((field.name, value))
        return pieces


def _evaluate(expires: tuple[Template, bool], request: Request) -> Expires:
    text = expires[0](request).decode("latin-1")
    if not text:
        return Expires("off")
    try:
        return parse_expires(["modified", text] if expires[1] else [text])
    except ValueError:
        return Expires("off")


def _set_expires(request: Request, expires: Expires) -> None:
    """Expires and Cache-Control, in place of those that an upstream sent."""
    response = request.response
    now = int(request.connection.lane.wall)
    if expires.kind == "epoch":
        date, control = _EPOCH, b"no-cache"
    elif expires.kind == "max":
        date, control = _MAX, b"max-age=315360000"
    elif not expires.seconds and expires.kind != "daily":
        date, control = http_date(now), b"max-age=0"
    else:
        at, age = now + expires.seconds, expires.seconds
        if expires.kind == "daily":
            at = _next_time_of_day(now, expires.seconds)
            age = at - now
        elif expires.kind == "modified" and response.last_modified >= 0:
            at = response.last_modified + expires.seconds
            age = at - now
        date = http_date(at)
        control = b"no-cache" if age < 0 else b"max-age=%d" % age
    response.set(b"Expires", date)
    response.set(b"Cache-Control", control)


def _next_time_of_day(now: int, seconds: int) -> int:
    """The next moment at this many seconds after midnight, local time."""
    import time

    t = time.localtime(now)
    at = now - (t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec) + seconds
    return at if at > now else at + _DAY


_INHERIT: Final = {"on": "on", "off": "off", "merge": "merge"}

module = HttpModule(
    name="headers",
    location=LocationConf,
    directives=(
        Directive("add_header", EVERYWHERE | LIF, take(2, 3), _add_field("headers")),
        Directive("add_trailer", EVERYWHERE | LIF, take(2, 3), _add_field("trailers")),
        Directive("expires", EVERYWHERE | LIF, take(1, 2), set_expires),
        Directive("add_header_inherit", EVERYWHERE | LIF, take(1), enum_("header_inherit", _INHERIT)),
        Directive("add_trailer_inherit", EVERYWHERE | LIF, take(1), enum_("trailer_inherit", _INHERIT)),
    ),
    plan=plan,
)
