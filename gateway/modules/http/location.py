"""location: `location` and `limit_except` blocks."""

from __future__ import annotations

from typing import Any

from gateway.config.directive import LIMIT_EXCEPT, LOCATION, SERVER, Command, Directive, at_least, take
from gateway.config.errors import ConfigError
from gateway.config.loader import Scope
from gateway.config.text import to_bytes, to_str
from gateway.core.regex import Regex, RegexError
from gateway.http.locations import Location
from gateway.http.module import HttpModule
from gateway.http.servers import Server
from gateway.http.setters import cycle_of
from gateway.modules.http import core as http_core

METHODS = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK",
    "UNLOCK", "PATCH",
}  # fmt: skip


class LimitExcept:
    """The methods that a limit_except block leaves alone, and the settings for all others."""

    __slots__ = ("location", "methods")

    def __init__(self, methods: frozenset[bytes], location: Location) -> None:
        self.methods = methods
        self.location = location


def set_location(conf: Any, command: Command) -> None:
    owner = command.scope.owner
    outer: Location | None = owner if isinstance(owner, Location) else None
    server: Server = outer.server if outer is not None else owner
    scope = Scope(LOCATION, command.scope, level="location")
    location = Location(b"", server, scope, outer)
    scope.owner = location
    _name(location, command)
    if outer is not None:
        _check_nesting(location, outer, command)
    (outer or server.root).children.append(location)
    table = outer.inner if outer is not None else server.locations
    if not table.add(location) and not location.named:
        # Of two named alike the first is found. Of all others nginx finds it when it sorts them: whatever else is wrong
        # comes first.
        name = command.args[-1] if len(command.args) == 2 else to_str(location.name)
        cycle_of(command).late.append(ConfigError(f'duplicate location "{name}"', command.where))
    command.loader.walk(command.block, scope)


def _name(location: Location, command: Command) -> None:
    """The modifier and the name, which may also stand together as one argument (`location =/x`)."""
    args = command.args
    if len(args) == 2:
        modifier, name = args
        if modifier not in ("=", "^~", "~", "~*"):
            command.fail(f'invalid location modifier "{modifier}"')
    else:
        modifier, name = "", args[0]
        if name[:1] in ("=", "^", "~"):  # most begin otherwise
            for glued in ("=", "^~", "~*", "~"):
                if name.startswith(glued):
                    modifier, name = glued, name[len(glued) :]
                    break
    if modifier in ("~", "~*"):
        try:
            location.regex = Regex(name, caseless=modifier == "~*")
        except RegexError as error:
            command.fail(str(error))
        for group in location.regex.named:
            cycle_of(command).variables.define(group, None, command.where)
    elif modifier == "=":
        location.exact = True
    elif modifier == "^~":
        location.no_regex = True
    elif name.startswith("@"):
        location.named = True
    location.name = to_bytes(name)


def _check_nesting(location: Location, outer: Location, command: Command) -> None:
    name, around = location.name.decode("utf-8", "replace"), outer.name.decode("utf-8", "replace")
    if outer.exact:
        command.fail(f'location "{name}" cannot be inside the exact location "{around}"')
    if outer.named:
        command.fail(f'location "{name}" cannot be inside the named location "{around}"')
    if location.named:
        command.fail(f'named location "{name}" can be on the server level only')
    # Inside a regular expression too, whose text is its name: nginx compares letters.
    if location.regex is None and not location.name.startswith(outer.name):
        command.fail(f'location "{name}" is outside location "{around}"')


def set_limit_except(conf: http_core.LocationConf, command: Command) -> None:
    outer: Location = command.scope.owner
    command.once(outer.scope.conf(http_core.module, "location").limit_except)
    methods: set[bytes] = set()
    for word in command.args:
        if word.upper() not in METHODS:
            command.fail(f'invalid method "{word}"')
        methods.add(word.upper().encode())
    if b"GET" in methods:
        methods.add(b"HEAD")
    scope = Scope(LIMIT_EXCEPT, command.scope, level="location")
    location = Location(outer.name, outer.server, scope, outer)
    scope.owner = location
    location.nameless = True
    location.regex = outer.regex
    location.exact, location.no_regex, location.named = outer.exact, outer.no_regex, outer.named
    outer.children.append(location)
    outer.scope.conf(http_core.module, "location").limit_except = LimitExcept(frozenset(methods), location)
    command.loader.walk(command.block, scope)
    scope.conf(http_core.module, "location").limit_except = None


module = HttpModule(
    name="location",
    directives=(
        Directive("location", SERVER | LOCATION, take(1, 2), set_location, block=True),
        Directive("limit_except", LOCATION, at_least(1), set_limit_except, block=True),
    ),
)
