"""split_clients: a variable with one of several values, each for a share of the keys (A/B tests)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gateway.config.directive import HTTP, Command, Directive, take
from gateway.config.errors import ConfigError
from gateway.config.text import to_bytes
from gateway.core.murmur import murmur_hash2
from gateway.core.template import Template
from gateway.core.variables import Getter, cached
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, template, variable_name

if TYPE_CHECKING:
    from gateway.http.request import Request

# up to two digits behind the point; a point may stand alone at either end
_PERCENT: Final = re.compile(r"(\d*)\.?(\d{0,2})%", re.ASCII)
_WHOLE: Final = 10000  # 100.00 %


def set_split_clients(conf: Any, command: Command) -> None:
    text, variable = command.args
    source = template(command, text)
    name = variable_name(command, variable).lower()
    parts: list[tuple[int, bytes]] = []  # hundredths of a percent, 0 for all the rest
    for statement in command.lines():
        if not statement.args:  # a second word more nobody looks at, as in nginx
            raise ConfigError("invalid number of the split_clients parameters", statement.where)
        share = 0 if statement.name == "*" else _hundredths(statement.name)
        if share is None:
            raise ConfigError(f'invalid percent value "{statement.name}"', statement.where)
        parts.append((share, to_bytes(statement.args[0])))
    cycle_of(command).variables.define(name, cached(name, _getter(source, _limits(parts, command))), command.where)


def _hundredths(text: str) -> int | None:
    match = _PERCENT.fullmatch(text)
    if match is None or text == "%":
        return None
    return int((match[1] or "0") + match[2].ljust(2, "0")) or None


def _limits(parts: list[tuple[int, bytes]], command: Command) -> list[tuple[int, bytes]]:
    """The hash below which each value holds; 0 where all that is left has it."""
    limits = []
    total = last = 0
    for share, value in parts:
        total = total + share if share else _WHOLE
        if total > _WHOLE:
            command.fail("percent total is greater than 100%")
        if total == _WHOLE or not share:
            limits.append((0, value))
        else:
            last += share * 0xFFFFFFFF // _WHOLE
            limits.append((last, value))
    return limits


def _getter(source: Template, limits: list[tuple[int, bytes]]) -> Getter:
    def get(request: Request) -> bytes:
        number = murmur_hash2(source(request))
        for limit, value in limits:
            if number < limit or limit == 0:
                return value
        return b""

    return get


module = HttpModule(
    name="split_clients",
    directives=(Directive("split_clients", HTTP, take(2), set_split_clients, block=True),),
)
