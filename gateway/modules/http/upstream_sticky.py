"""upstream_sticky: `sticky cookie`, `sticky route` and `sticky learn`."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.cluster.maps import Map
from gateway.cluster.sync import SYNCED, Synced
from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, at_least
from gateway.config.text import to_bytes
from gateway.core.variables import Getter
from gateway.core.zone_directives import add_zone
from gateway.core.zones import LEAST_SIZE
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, template
from gateway.modules.http.upstream import upstream_of
from gateway.upstream.peers.sticky import FOREVER, Cookie, Sessions, Sticky

_SAMESITE: Final = frozenset({"strict", "lax", "none"})
_TIMEOUT_MS: Final = 600_000


def set_sticky(conf: None, command: Command) -> None:
    upstream = upstream_of(command)
    if upstream.sticky is not None:
        command.duplicate()
    sticky = upstream.sticky = Sticky()
    kind, *words = command.args
    if kind == "cookie":
        _set_cookie(command, sticky, words)
    elif kind == "route":
        sticky.lookup = [_variable(command, word) for word in words]
    elif kind == "learn":
        _set_learn(command, sticky, words)
    else:
        command.fail(f'unknown parameter "{kind}"')


def _variable(command: Command, word: str) -> Getter:
    if not word.startswith("$"):
        command.fail(f'invalid variable name "{word}"')
    return cycle_of(command).variables.reference(word[1:], command.where)


def _set_cookie(command: Command, sticky: Sticky, words: list[str]) -> None:
    name, *parameters = words
    if not name:
        command.refuse("empty cookie name")
    cookie = sticky.cookie = Cookie(to_bytes(name))
    seen: set[str] = set()
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if key not in (("domain", "path", "expires", "samesite") if equals else ("httponly", "secure")):
            command.fail(f'unknown parameter "{parameter}"')
        if key in seen:
            command.refuse(f'parameter "{key}" is duplicate')
        seen.add(key)
        if not equals:
            setattr(cookie, key, True)
        elif key == "expires":
            try:
                cookie.expires = FOREVER if value == "max" else units.parse_seconds(value)
            except ValueError:
                command.refuse('invalid "expires" parameter value')
        elif key == "samesite":
            cookie.samesite = template(command, value)
            if cookie.samesite.constant is not None and value.lower() not in _SAMESITE:
                command.refuse('invalid "samesite" parameter value')
        elif not value:
            command.refuse(f'no value for "{key}"')
        elif key == "domain":
            cookie.domain = template(command, value)
        else:
            cookie.path = to_bytes(value)
    sticky.lookup = [cycle_of(command).variables.reference("cookie_" + name, command.where)]


def _set_learn(command: Command, sticky: Sticky, words: list[str]) -> None:
    upstream = upstream_of(command)
    name, size, timeout_ms, synced = "", 0, 0, False
    for word in words:
        key, equals, value = word.partition("=")
        if key == "zone" and equals:
            if size:
                command.refuse("duplicate zone")
            name, size = _zone(command, value)
        elif key == "timeout" and equals:
            if timeout_ms:
                command.refuse("duplicate timeout")
            timeout_ms = _timeout(command, value)
        elif key in ("create", "lookup") and equals:
            if not value.startswith("$"):
                command.refuse(f'missing variable in the "{key}" parameter')
            (sticky.create if key == "create" else sticky.lookup).append(_variable(command, value))
        elif word == "header":
            sticky.after_headers = True
        elif word == "sync":
            synced = True
        else:
            command.fail(f'unknown parameter "{word}"')
    for found, needed in ((sticky.lookup, "lookup"), (sticky.create, "create"), (size, "zone")):
        if not found:
            command.refuse(f'"{needed}" parameter is not specified')
    zone = add_zone(command, name, size, "sticky")
    user = zone.used_by(Sessions)
    if user is not None:
        other = user.upstream.decode("utf-8", "surrogateescape")
        command.fail(f'sticky zone "{name}" is already used in upstream "{other}"')
    sessions = sticky.sessions = zone.user = Sessions(name, upstream.name, timeout_ms or _TIMEOUT_MS, synced)
    if synced:
        command.loader.parts.get(SYNCED).append(Synced(command.where, partial(Map, "sticky", sessions)))


def _zone(command: Command, value: str) -> tuple[str, int]:
    name, colon, text = value.partition(":")
    if not colon:
        command.refuse("zone size is not specified")
    if not name:
        command.refuse("zone name is not specified")
    try:
        size = units.parse_size(text)
    except ValueError:
        command.refuse("invalid zone size")
    if size < LEAST_SIZE:
        command.refuse("zone is too small")
    return name, size


def _timeout(command: Command, value: str) -> int:
    try:
        timeout_ms = units.parse_time_ms(value)
    except ValueError:
        timeout_ms = 0
    if not timeout_ms:
        command.refuse("invalid timeout")
    return timeout_ms


module = HttpModule(
    name="upstream_sticky",
    directives=(Directive("sticky", UPSTREAM, at_least(2), set_sticky),),
)
