"""directive: values of directives go into settings, or are refused in nginx's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.config.conf import Conf, setting
from gateway.config.directive import (
    ANY,
    FLAG,
    HTTP,
    NOARGS,
    Arguments,
    Directive,
    Setter,
    at_least,
    bitmask,
    bufs,
    enum_,
    flag,
    number,
    offset,
    seconds,
    size,
    string,
    take,
    time_s,
)
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse


@dataclass
class Settings(Conf):
    value: Any = setting(None)


class Module:
    name = "test"
    main = server = None
    location = Settings
    directives: tuple[Directive, ...] = ()


def run(setter: Setter, text: str) -> tuple[Any, list[str]]:
    """Give `x text;` to a setter: the value that it stores, and the warnings."""

    class WithDirective(Module):
        directives = (Directive("x", HTTP, ANY, setter),)

    loader = Loader([WithDirective])
    scope = Scope(HTTP)
    loader.walk(parse(text).statements, scope)
    return scope.conf(WithDirective, "location").value, [str(warning) for warning in loader.warnings]


COLORS = {"red": 1, "green": 2, "Blue": 4}


@pytest.mark.parametrize(
    ("setter", "text", "value"),
    [
        (flag("value"), "on", True),
        (flag("value"), "OFF", False),
        (number("value"), "42", 42),
        (number("value", 1, 9), "9", 9),
        (size("value"), "8k", 8192),
        (offset("value"), "2g", 2 << 30),
        (time_s("value"), "500ms", 0.5),
        (seconds("value"), "1d", 86400),
        (string("value"), '"a b"', "a b"),
        (enum_("value", COLORS), "RED", 1),
        (enum_("value", COLORS), "blue", 4),
        (bitmask("value", COLORS), "red blue", 5),
        (bufs("value"), "4 8k", (4, 8192)),
    ],
)
def test_values(setter: Setter, text: str, value: Any) -> None:
    assert run(setter, f"x {text};") == (value, [])


@pytest.mark.parametrize(
    ("setter", "text", "message"),
    [
        (flag("value"), "yes", 'invalid value "yes" in "x" directive, it must be "on" or "off"'),
        (number("value"), "x", '"x" directive invalid number'),
        (number("value"), "-1", '"x" directive invalid number'),
        (number("value"), "9" * 30, '"x" directive invalid number'),
        (number("value", 1, 9), "0", "value must be between 1 and 9"),
        (number("value", 1, 9), "10", "value must be between 1 and 9"),
        (number("value", 2), "1", "value must be equal to or greater than 2"),
        (size("value"), "8g", '"x" directive invalid value'),
        (offset("value"), "1t", '"x" directive invalid value'),
        (seconds("value"), "1ms", '"x" directive invalid value'),
        (enum_("value", COLORS), "black", 'invalid value "black"'),
        (bitmask("value", COLORS), "red black", 'invalid value "black"'),
        (bufs("value"), "0 8k", '"x" directive invalid value'),
        (bufs("value"), "4 0", '"x" directive invalid value'),
        (bufs("value"), "x 8k", '"x" directive invalid value'),
    ],
)
def test_refused(setter: Setter, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(setter, f"x {text};")
    assert str(caught.value) == f"{message} in nginx.conf:1"


@pytest.mark.parametrize(
    ("setter", "text"),
    [
        (flag("value"), "on"),
        (number("value"), "1"),
        (size("value"), "1"),
        (string("value"), "a"),
        (enum_("value", COLORS), "red"),
        (bufs("value"), "4 8k"),
    ],
)
def test_twice_is_refused_before_the_value_is_looked_at(setter: Setter, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(setter, f"x {text};\nx {text};")
    assert str(caught.value) == '"x" directive is duplicate in nginx.conf:2'


def test_a_repeated_bit_is_a_warning() -> None:
    assert run(bitmask("value", COLORS), "x red red;") == (1, ['duplicate value "red" in nginx.conf:1'])


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        (NOARGS, [0]),
        (FLAG, [1]),
        (take(1, 3), [1, 3]),
        (at_least(2), [2, 3, 4]),
        (ANY, [0, 1, 2, 3, 4]),
    ],
)
def test_arguments(arguments: Arguments, counts: list[int]) -> None:
    assert [count for count in range(5) if arguments.allows(count)] == counts
