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
from gateway.http.module import NOTHING, BodyFilter, Contribution, Count, HttpModule
from gateway.http.part import Part
from gateway.http.response import http_date, parse_http_date
from gateway.http.response_fields import set_line
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request

# Kinds of Lifetime, and how Expires calls them.
_OFF: Final = 0
_NEVER: Final = 1  # epoch
_EVER: Final = 2  # max
_DAILY: Final = 3
_MODIFIED: Final = 4
_ACCESS: Final = 5
_KINDS: Final = ("off", "epoch", "max", "daily", "modified", "access")
_MOST_LIFETIMES: Final = 64

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
        self.last: tuple[bytes, bytes] | None = None  # of a response before: what a map gives are the same objects
        # the line, where nothing has to be evaluated
        self.line = (name, value.constant) if value.constant and self.kind == _PLAIN else None

    def add(self, request: Request) -> None:
        response = request.response
        value: bytes = self.value.value(request)
        if self.kind == _PLAIN:
            if value:
                line = self.last
                if line is None or line[1] is not value:
                    line = self.last = (self.name, value)
                response.fields.append(line)
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


class Lifetime:
    """What one `expires` says of responses. Its two lines are kept for a second: all answers in it have the same."""

    def __init__(self, expires: Expires) -> None:
        self.kind: int = _KINDS.index(expires.kind)
        self.seconds: int = expires.seconds
        self.now: int = -1  # of the lines
        self.last_modified: int = -1
        self.expires: tuple[bytes, bytes] | None = None
        self.control: tuple[bytes, bytes] | None = None

    def put(self, request: Request) -> None:
        """Expires and Cache-Control, in place of those that an upstream sent."""
        if self.kind == _OFF:
            return
        client: Client = request.connection
        response = request.response
        now = int(client.lane.wall_time())
        if now != self.now or (self.kind == _MODIFIED and response.last_modified != self.last_modified):
            self.now = now
            self.last_modified = response.last_modified
            date, control = self._texts(now, response.last_modified)
            self.expires = (b"Expires", date)
            self.control = (b"Cache-Control", control)
        expires_line, control_line = self.expires, self.control
        assert expires_line is not None and control_line is not None
        set_line(response, expires_line, b"expires")
        set_line(response, control_line, b"cache-control")

    def _texts(self, now: Count, last_modified: Count) -> tuple[bytes, bytes]:
        if self.kind == _NEVER:
            return _EPOCH, b"no-cache"
        if self.kind == _EVER:
            return _MAX, b"max-age=315360000"
        if not self.seconds and self.kind != _DAILY:
            return http_date(now), b"max-age=0"
        at = now + self.seconds
        age = self.seconds
        if self.kind == _DAILY:
            at = _next_time_of_day(now, self.seconds)
            age = at - now
        elif self.kind == _MODIFIED and last_modified >= 0:
            at = last_modified + self.seconds
            age = at - now
        return http_date(at), b"no-cache" if age < 0 else b"max-age=%d" % age


class AddFields(Part):
    """The head filter of one location."""

    def __init__(self, settings: LocationConf) -> None:
        self.fields: tuple[Field, ...] = tuple(settings.headers)
        self.trailers: tuple[Field, ...] = tuple(settings.trailers)
        self.lifetime: Lifetime | None = None
        self.expires: Template | None = None  # where it has variables
        self.modified: bool = False  # it is counted from Last-Modified
        self.lifetimes: dict[bytes, Lifetime] = {}  # by its text
        expires = settings.expires
        if isinstance(expires, Expires):
            self.lifetime = Lifetime(expires)
        elif expires is not None:
            self.expires, self.modified = expires

    def run(self, request: Request) -> BodyFilter | None:
        if request.parent is not None:
            return None
        response = request.response
        status = response.status
        safe = status == 200 or status in _SAFE
        if safe:
            lifetime = self.lifetime if self.expires is None else self._lifetime_for(request)
            if lifetime is not None:
                lifetime.put(request)
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

    def _lifetime_for(self, request: Request) -> Lifetime | None:
        assert self.expires is not None
        text: bytes = self.expires.value(request)
        if not text:
            return None
        found = self.lifetimes.get(text)
        if found is None:
            if len(self.lifetimes) >= _MOST_LIFETIMES:
                self.lifetimes.clear()
            found = self.lifetimes[text] = Lifetime(_parsed(text, self.modified))
        return found


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


def _parsed(value: bytes, modified: bool) -> Expires:
    text = value.decode("latin-1")
    try:
        return parse_expires(["modified", text] if modified else [text])
    except ValueError:
        return Expires("off")


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
