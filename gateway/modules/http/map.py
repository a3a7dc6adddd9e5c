"""map: a variable whose value depends on another's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway._fast.value import Value
from gateway.config.directive import HTTP, Command, Directive, take
from gateway.config.errors import ConfigError
from gateway.config.parser import Statement
from gateway.config.text import to_bytes
from gateway.core.names import NameConflict, NameTable
from gateway.core.regex import MatchError, Regex
from gateway.core.template import Template
from gateway.core.variables import acyclic, cached
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, regex, template, variable_name

if TYPE_CHECKING:
    from gateway.http.request import Request

MapResult = bytes | Template


class Map:
    """The lines of one block."""

    def __init__(self, source: Template) -> None:
        self.source = source
        self.names = NameTable()
        self.regexes: list[tuple[Regex, MapResult]] = []
        self.default: MapResult | None = None
        self.hostnames = False
        self.volatile = False


class MapValue(Value):
    """How the variable gets its value; nginx's order is exact, wildcards, regular expressions."""

    def __init__(self, lines: Map) -> None:
        names = lines.names
        self.source = lines.source
        self.exact: dict[bytes, Any] = names.exact
        self.find: Any = names.find if names.has_wildcards else None
        self.hostnames = lines.hostnames
        self.regexes = tuple(lines.regexes)
        self.default: Any = lines.default if lines.default is not None else b""

    def value(self, request: Any) -> bytes | None:
        text: bytes = self.source.value(request)
        if self.hostnames and text.endswith(b"."):
            text = text[:-1]
        found: Any = None
        if self.exact or self.find is not None:
            lower = text.lower()
            found = self.exact.get(lower) if self.find is None else self.find(lower)
        if found is None:
            if self.regexes and text:
                found = _matching(self.regexes, text, request)
            if found is None:
                found = self.default
        return found if type(found) is bytes else found(request)


def _matching(regexes: Any, text: bytes, request: Request) -> Any:
    for pattern, value in regexes:
        try:
            captures = pattern.search(text)
        except MatchError as error:
            request.log("alert", str(error))
            return None
        if captures is not None:
            request.matched(captures)
            return value
    return None


def set_map(conf: Any, command: Command) -> None:
    text, variable = command.args
    mapping = Map(template(command, text))
    name = variable_name(command, variable).lower()
    for statement in command.lines():
        _line(mapping, statement, command)
    get = acyclic(name, MapValue(mapping))
    cycle_of(command).variables.define(name, get if mapping.volatile else cached(name, get), command.where)


def _line(mapping: Map, statement: Statement, command: Command) -> None:
    key, args = statement.name, statement.args
    if not args and key == "hostnames":
        mapping.hostnames = True
        return
    if not args and key == "volatile":
        mapping.volatile = True
        return
    if len(args) != 1:
        raise ConfigError("invalid number of the map parameters", statement.where)
    line = Command(statement, command.directive, command.scope, command.loader)
    compiled = template(line, args[0])
    value = compiled.constant if compiled.constant is not None else compiled
    if key == "default":
        if mapping.default is not None:
            line.fail("duplicate default map parameter")
        mapping.default = value
        return
    if key.startswith("~"):
        caseless = key.startswith("~*")
        mapping.regexes.append((regex(line, key[2 if caseless else 1 :], caseless), value))
        return
    if key.startswith("\\"):
        key = key[1:]
    try:
        mapping.names.add(to_bytes(key), value, mapping.hostnames)
    except NameConflict:
        line.fail(f'conflicting parameter "{key.lower()}"')
    except ValueError:
        line.fail(f'invalid hostname or wildcard "{key}"')


module = HttpModule(
    name="map",
    directives=(Directive("map", HTTP, take(2), set_map, block=True),),
)
