"""Declaring directives: where one may stand, what it takes, and where its value goes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from gateway.config import units
from gateway.config.conf import UNSET
from gateway.config.errors import ConfigError, Where
from gateway.config.text import for_system

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.config.parser import Statement


class Context(enum.IntFlag):
    """The blocks that a directive may stand in; names as in nginx's documentation."""

    MAIN = enum.auto()
    EVENTS = enum.auto()
    HTTP = enum.auto()
    SERVER = enum.auto()
    LOCATION = enum.auto()
    SIF = enum.auto()  # "if" in server
    LIF = enum.auto()  # "if" in location
    LIMIT_EXCEPT = enum.auto()
    UPSTREAM = enum.auto()
    MATCH = enum.auto()
    STREAM = enum.auto()
    STREAM_SERVER = enum.auto()
    STREAM_UPSTREAM = enum.auto()
    STREAM_MATCH = enum.auto()
    MAIL = enum.auto()
    MAIL_SERVER = enum.auto()


MAIN, EVENTS, HTTP, SERVER, LOCATION = Context.MAIN, Context.EVENTS, Context.HTTP, Context.SERVER, Context.LOCATION
SIF, LIF, LIMIT_EXCEPT, UPSTREAM = Context.SIF, Context.LIF, Context.LIMIT_EXCEPT, Context.UPSTREAM
EVERYWHERE = HTTP | SERVER | LOCATION


@dataclass(frozen=True, slots=True)
class Arguments:
    """How many arguments a directive takes."""

    counts: frozenset[int] = frozenset()
    minimum: int | None = None
    is_flag: bool = False

    def allows(self, count: int) -> bool:
        return count in self.counts or (self.minimum is not None and count >= self.minimum)


def take(*counts: int) -> Arguments:
    """Exactly one of these numbers of arguments."""
    return Arguments(frozenset(counts))


def at_least(minimum: int) -> Arguments:
    return Arguments(minimum=minimum)


NOARGS = take(0)
ANY = at_least(0)
FLAG = Arguments(frozenset({1}), is_flag=True)

Setter = Callable[[Any, "Command"], None]


@dataclass(slots=True)
class Command:
    """One directive as it stands in a file, on its way to its setter."""

    statement: Statement
    directive: Directive
    scope: Scope
    loader: Loader

    @property
    def name(self) -> str:
        return self.statement.name

    @property
    def args(self) -> list[str]:
        return self.statement.args

    @property
    def block(self) -> list[Statement]:
        return self.statement.block or []

    @property
    def where(self) -> Where:
        return self.statement.where

    def lines(self) -> Iterator[Statement]:
        """The statements of a block whose lines are data (map, geo)."""
        for statement in self.block:
            if statement.block is not None:
                raise ConfigError('unexpected "{"', statement.where)
            yield statement

    def fail(self, message: str) -> NoReturn:
        """Refuse the configuration with nginx's "message in file:line"."""
        raise ConfigError(message, self.where)

    def refuse(self, problem: str) -> NoReturn:
        """Refuse this directive with nginx's "name" directive problem."""
        self.fail(f'"{self.name}" directive {problem}')

    def duplicate(self) -> NoReturn:
        self.refuse("is duplicate")

    def once(self, value: Any) -> None:
        """Refuse the directive where its setting, which has this value, was set in this block before."""
        if value is not UNSET:
            self.duplicate()

    def invalid(self, value: str) -> NoReturn:
        self.fail(f'invalid value "{value}"')

    def warn(self, message: str) -> None:
        self.loader.warn(message, self.where)


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive's declaration; `level` names the settings object that its setter gets."""

    name: str
    contexts: Context
    arguments: Arguments
    set: Setter
    level: str = "location"
    block: bool = False
    module: Any = field(default=None, compare=False)


def store(conf: Any, field_name: str, value: Any, command: Command) -> None:
    """Put a value in a field that must not be set yet in this block."""
    command.once(getattr(conf, field_name))
    setattr(conf, field_name, value)


def flag(field_name: str) -> Setter:
    def set_flag(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        text = command.args[0].lower()
        if text not in ("on", "off"):
            command.fail(f'invalid value "{command.args[0]}" in "{command.name}" directive, it must be "on" or "off"')
        setattr(conf, field_name, text == "on")

    return set_flag


def number(field_name: str, minimum: int | None = None, maximum: int | None = None) -> Setter:
    def set_number(conf: Any, command: Command) -> None:
        text = command.args[0]
        command.once(getattr(conf, field_name))
        try:
            value = units.parse_number(text)
        except ValueError:
            command.refuse("invalid number")
        if maximum is not None:
            if not (minimum or 0) <= value <= maximum:
                command.fail(f"value must be between {minimum or 0} and {maximum}")
        elif minimum is not None and value < minimum:
            command.fail(f"value must be equal to or greater than {minimum}")
        setattr(conf, field_name, value)

    return set_number


def _unit(parse: Callable[[str], Any]) -> Callable[[str], Setter]:
    def make(field_name: str) -> Setter:
        def set_unit(conf: Any, command: Command) -> None:
            command.once(getattr(conf, field_name))
            try:
                value = parse(command.args[0])
            except ValueError:
                command.refuse("invalid value")
            setattr(conf, field_name, value)

        return set_unit

    return make


size = _unit(units.parse_size)
offset = _unit(units.parse_offset)
seconds = _unit(units.parse_seconds)


def time_s(field_name: str) -> Setter:
    """A time in nginx's milliseconds grammar, kept as float seconds for the lane's deadlines."""
    return _unit(lambda text: units.parse_time_ms(text) / 1000)(field_name)


def string(field_name: str) -> Setter:
    def set_string(conf: Any, command: Command) -> None:
        store(conf, field_name, command.args[0], command)

    return set_string


def file_name(field_name: str) -> Setter:
    """The name of a file or folder, as it is written."""

    def set_file_name(conf: Any, command: Command) -> None:
        store(conf, field_name, for_system(command.args[0]), command)

    return set_file_name


def enum_(field_name: str, values: Mapping[str, Any]) -> Setter:
    folded = {name.lower(): value for name, value in values.items()}

    def set_enum(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        text = command.args[0]
        if text.lower() not in folded:
            command.fail(f'invalid value "{text}"')
        setattr(conf, field_name, folded[text.lower()])

    return set_enum


def bitmask(field_name: str, values: Mapping[str, int]) -> Setter:
    """Several words, each a bit; a repeated word is a warning as in nginx."""
    folded = {name.lower(): value for name, value in values.items()}

    def set_bits(conf: Any, command: Command) -> None:
        bits = getattr(conf, field_name)
        bits = 0 if bits is UNSET else bits
        for text in command.args:
            bit = folded.get(text.lower())
            if bit is None:
                command.fail(f'invalid value "{text}"')
            if bits & bit:
                command.warn(f'duplicate value "{text}"')
            bits |= bit
        setattr(conf, field_name, bits)

    return set_bits


def bufs(field_name: str) -> Setter:
    """`directive number size`, as (number, size in bytes)."""

    def set_bufs(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        try:
            count, bytes_each = units.parse_number(command.args[0]), units.parse_size(command.args[1])
        except ValueError:
            command.refuse("invalid value")
        if count == 0 or bytes_each == 0:
            command.refuse("invalid value")
        setattr(conf, field_name, (count, bytes_each))

    return set_bufs


def ignored(conf: Any, command: Command) -> None:
    """A directive whose mechanism does not exist here; listed in known.py with the reason."""
