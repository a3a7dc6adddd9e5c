"""Reading nginx's command line (ngx_get_options)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.process.signals import BY_NAME

# What nginx calls the value of an option, for when it is missing.
_VALUES: Final = {"p": "directory name", "e": "file name", "c": "file name", "g": "parameter", "s": "parameter"}


class UsageError(Exception):
    """An option that nginx would not take; the text is nginx's."""


@dataclass(slots=True)
class CommandLine:
    """The options as they were given."""

    help: bool = False
    version: bool = False
    configure: bool = False
    test: bool = False
    dump: bool = False
    quiet: bool = False
    prefix: str | None = None
    error_log: str | None = None
    conf_file: str | None = None
    globals_text: str | None = None
    signal: str | None = None


def parse(arguments: Sequence[str]) -> CommandLine:
    """Letters may be joined (-tq), a value may follow at once (-cfile) or as the next argument."""
    line = CommandLine()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            raise UsageError(f'invalid option: "{argument}"')
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _VALUES:
                value = letters or next(rest, None)
                if value is None:
                    raise UsageError(f'option "-{letter}" requires {_VALUES[letter]}')
                _set_value(line, letter, value)
                break
            _set_flag(line, letter)
    return line


def _set_flag(line: CommandLine, letter: str) -> None:
    if letter in "?h":
        line.help = line.version = True
    elif letter == "v":
        line.version = True
    elif letter == "V":
        line.version = line.configure = True
    elif letter == "t":
        line.test = True
    elif letter == "T":
        line.test = line.dump = True
    elif letter == "q":
        line.quiet = True
    else:
        raise UsageError(f'invalid option: "{letter}"')


def _set_value(line: CommandLine, letter: str, value: str) -> None:
    if letter == "p":
        line.prefix = value
    elif letter == "e":
        line.error_log = value
    elif letter == "c":
        line.conf_file = value
    elif letter == "g":
        line.globals_text = value
    else:
        if value not in BY_NAME:
            raise UsageError(f'invalid option: "-s {value}"')
        line.signal = value
