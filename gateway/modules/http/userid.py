"""userid: a cookie by which a client is known again; `$uid_got`, `$uid_set`, `$uid_reset`."""

from __future__ import annotations

import base64
import os
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, Command, Directive, bitmask, enum_, number, store, string, take
from gateway.config.text import to_bytes
from gateway.core.variables import Variable, cached
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.response import http_date

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_OFF, _LOG, _V1, _V2 = range(4)
# Bits of userid_flags; of the three words for SameSite each has its own.
_FLAGS: Final = {"off": 0, "secure": 1, "httponly": 2, "samesite=strict": 4, "samesite=lax": 8, "samesite=none": 16}
# `userid_expires max`: with a fixed date
_MAX: Final = -1
_MAX_DATE: Final = b"Thu, 31-Dec-37 23:55:55 GMT"
_BASE64: Final = re.compile(rb"([A-Za-z0-9+/]*)(?:=.*)?", re.DOTALL)
# How much of a cookie is the identifier: what follows may be a mark, or anything.
_LENGTH: Final = 22
_NOBODY: Final = bytes(16)
_MARKS: Final = re.compile(r"[0-9A-Za-z=]")


class Sequence:
    """Identifiers that no other worker gives: two numbers, of which the second goes up."""

    def __init__(self) -> None:
        self._pid = 0
        self._start = 0
        self._v1 = 1
        self._v2 = 0x03030302

    def start(self) -> int:
        """Differs between workers, and between two lives of one."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._start = (time.time_ns() // 20_000 & 0xFFFF) << 16 | self._pid & 0xFFFF
        return self._start

    def next_v1(self) -> int:
        number, self._v1 = self._v1, (self._v1 + 0x100) & 0xFFFFFFFF
        return number

    def next_v2(self) -> int:
        number = self._v2
        self._v2 += 0x100
        if self._v2 > 0xFFFFFFFF:
            self._v2 = 0x03030302
        return number


_sequence = Sequence()


@dataclass(slots=True)
class LocationConf(Conf):
    enable: int = setting(_OFF)
    service: int | None = setting(None)
    name: str = setting("uid")
    domain: str = setting("")
    path: str = setting("; path=/")
    expires: int = setting(0)
    flags: int = setting(0)
    p3p: str = setting("")
    mark: str = setting("")


def set_domain(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    store(conf, "domain", "" if text == "none" else f"; domain={text}", command)


def set_path(conf: LocationConf, command: Command) -> None:
    store(conf, "path", f"; path={command.args[0]}", command)


def set_expires(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    command.once(conf.expires)
    try:
        conf.expires = _MAX if text == "max" else 0 if text == "off" else units.parse_seconds(text)
    except ValueError:
        command.refuse("invalid value")


def set_p3p(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    store(conf, "p3p", "" if text == "none" else text, command)


def set_mark(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    command.once(conf.mark)
    if text != "off" and not _MARKS.fullmatch(text):
        command.refuse('value must be "off" or a single letter, digit or "="')
    conf.mark = "" if text == "off" else text


@dataclass(slots=True)
class Identity:
    """What a request brought, and what it is given."""

    cookie: bytes = b""
    got: bytes = field(default=_NOBODY)
    given: bytes = field(default=_NOBODY)
    reset: bool = False

    @property
    def known(self) -> bool:
        return self.got[12:] != bytes(4)

    @property
    def new(self) -> bool:
        return self.given[12:] != bytes(4)


def identity_of(request: Request, settings: LocationConf) -> Identity:
    """Read the cookie, once for a request."""
    found: Identity | None = request.state.get(module)
    if found is not None:
        return found
    found = request.state[module] = Identity()
    name = to_bytes(settings.name)
    for line in request.head.get_all(b"cookie"):
        cookie = uri_grammar.cookie_get([line], name)
        if cookie is None:
            continue
        found.cookie = cookie
        got = _decoded(cookie)
        if got is None:
            problem = b"too short" if len(cookie) < _LENGTH else b"invalid"
            request.log("error", b'client sent %b userid cookie "%b"' % (problem, line))
        else:
            found.got = got
        break
    return found


def _decoded(cookie: bytes) -> bytes | None:
    if len(cookie) < _LENGTH:
        return None
    match = _BASE64.fullmatch(cookie[:_LENGTH])
    if match is None or len(match[1]) % 4 == 1:
        return None
    data = base64.b64decode(match[1] + b"=" * (-len(match[1]) % 4))
    return data.ljust(16, b"\0")


def give(request: Request, settings: LocationConf, identity: Identity) -> None:
    """Decide whether the client gets a cookie, and which."""
    if identity.new:
        return
    if identity.known:
        variable = request.cycle.variables.find("uid_reset")
        reset = (variable(request) if variable is not None else b"") or b""
        if reset in (b"", b"0"):
            mark = to_bytes(settings.mark)
            if mark and identity.cookie[_LENGTH : _LENGTH + 2] != mark + b"=":
                identity.given = identity.got
            return
        identity.reset = True
        if reset == b"log":
            words = b'userid cookie "%b" was reset' % _shown(settings, identity.got)
            request.log("notice", words)
    now = int(request.connection.lane.wall)
    if settings.enable == _V1:
        numbers = ((settings.service or 0) & 0xFFFFFFFF, now, _sequence.start(), _sequence.next_v1())
        identity.given = struct.pack("=4I", *numbers)
    else:
        service = _address(request) if settings.service is None else struct.pack(">I", settings.service & 0xFFFFFFFF)
        identity.given = service + struct.pack(">3I", now, _sequence.start(), _sequence.next_v2())


def _address(request: Request) -> bytes:
    """The server's own IPv4 address, or the end of its IPv6 one: who gave the identifier."""
    text: str = request.connection.server_addr.decode("latin-1")
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)[-4:]
    except OSError:
        return bytes(4)


def _shown(settings: LocationConf, uid: bytes) -> bytes:
    return b"%b=%08X%08X%08X%08X" % (to_bytes(settings.name), *struct.unpack("=4I", uid))


def _cookie(request: Request, settings: LocationConf, identity: Identity) -> bytes:
    mark = to_bytes(settings.mark)
    if not identity.known or identity.reset:
        value = base64.b64encode(identity.given)
        if mark:
            value = value[:_LENGTH] + mark + b"="
    else:
        value = identity.cookie[:_LENGTH] + mark + b"="
    text = to_bytes(settings.name) + b"=" + value
    if settings.expires == _MAX:
        text += b"; expires=" + _MAX_DATE
    elif settings.expires:
        text += b"; expires=" + _cookie_date(int(request.connection.lane.wall) + settings.expires)
    text += to_bytes(settings.domain) + to_bytes(settings.path)
    for word, bit in _FLAGS.items():
        if settings.flags & bit:
            text += b"; " + word.encode()
    return text


def _cookie_date(seconds: int) -> bytes:
    """As cookies had it first, with dashes; two digits of the year up to 2037, as browsers of that time want it."""
    day, number, month, year, clock, zone = http_date(seconds).split(b" ")
    year = year if int(year) > 2037 else year[2:]
    return b"%b %b-%b-%b %b %b" % (day, number, month, year, clock, zone)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.enable < _V1:
        return NOTHING

    def filter_head(request: Request) -> BodyFilter | None:
        if request.parent is not None:
            return None
        identity = identity_of(request, settings)
        give(request, settings, identity)
        if identity.new:
            fields = request.response.fields
            fields.append((b"Set-Cookie", _cookie(request, settings, identity)))
            if settings.p3p:
                fields.append((b"P3P", to_bytes(settings.p3p)))
        return None

    return Contribution(head_filter=filter_head)


def uid_got(request: Request) -> bytes | None:
    main = request.main
    settings: LocationConf = main.location.confs[module]
    if settings.enable == _OFF:
        return None
    identity = identity_of(main, settings)
    return _shown(settings, identity.got) if identity.known else None


def uid_set(request: Request) -> bytes | None:
    main = request.main
    settings: LocationConf = main.location.confs[module]
    if settings.enable < _V1:
        return None
    identity = identity_of(main, settings)
    give(main, settings, identity)
    return _shown(settings, identity.given) if identity.new else None


def uid_reset(request: Request) -> bytes | None:
    return b""


module = HttpModule(
    name="userid",
    location=LocationConf,
    directives=(
        Directive("userid", EVERYWHERE, take(1), enum_("enable", {"off": _OFF, "log": _LOG, "v1": _V1, "on": _V2})),
        Directive("userid_service", EVERYWHERE, take(1), number("service")),
        Directive("userid_name", EVERYWHERE, take(1), string("name")),
        Directive("userid_domain", EVERYWHERE, take(1), set_domain),
        Directive("userid_path", EVERYWHERE, take(1), set_path),
        Directive("userid_expires", EVERYWHERE, take(1), set_expires),
        Directive("userid_flags", EVERYWHERE, take(1, 2, 3), bitmask("flags", _FLAGS)),
        Directive("userid_p3p", EVERYWHERE, take(1), set_p3p),
        Directive("userid_mark", EVERYWHERE, take(1), set_mark),
    ),
    variables=(
        Variable("uid_got", cached("uid_got", uid_got)),
        Variable("uid_set", cached("uid_set", uid_set)),
        Variable("uid_reset", uid_reset, changeable=True),
    ),
    plan=plan,
)
