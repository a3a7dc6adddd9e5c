"""ConfigError: what is wrong with a configuration, in nginx's words, and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.config.parser import Source


class Where(NamedTuple):
    """A place in a configuration; str() is the form in which nginx names it."""

    file: str  # as nginx would name it; empty for the text of -g
    line: int  # as nginx counts: for a directive, the line of its ";" or "{"
    column: int = 1  # of the first character, in characters from 1, on the line where the thing begins
    start: int = 0  # the line where the thing begins, if that is another one

    @property
    def first_line(self) -> int:
        """The line that the column belongs to."""
        return self.start or self.line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "command line"


def place(file: str, line: int, column: int, start: int = 0) -> Where:
    """Where(…), without what a call by names costs: a large configuration has tens of thousands."""
    return _new(Where, (file, line, column, start))


_new: Callable[[type[Where], tuple[str, int, int, int]], Where] = tuple.__new__


class Note(NamedTuple):
    """Something that helps to understand an error, with the place to look at if there is one."""

    text: str
    where: Where | None = None


class ConfigError(Exception):
    """A mistake in the configuration; str() is nginx's own line without the program's name and the level."""

    def __init__(
        self, message: str, where: Where | None = None, level: str = "emerg", *, notes: tuple[Note, ...] = ()
    ) -> None:
        super().__init__(message, where, level)
        self.message = message
        self.where = where
        self.level = level
        self.notes = notes
        # The configuration it was found in: the report shows lines from there rather than from files changed since.
        self.source: Source | None = None
        # What else is wrong in the same configuration; nginx would tell it once this one is put right.
        self.further: list[ConfigError] = []

    def __str__(self) -> str:
        return f"{self.message} in {self.where}" if self.where else self.message


class LateError(ConfigError):
    """What is found when a whole block was read, and not at one of its lines; nginx names the block's last."""


def in_quotes(message: str) -> str:
    """What a message names, in its first pair of quotes; "" where there is none."""
    found = re.search(r'"([^"]*)"', message)
    return found[1] if found else ""


def format_for_terminal(error: ConfigError, color: bool = False, *, program: str = "gateway") -> str:
    """Show nginx's own line first, then the source, a caret and advice."""
    # The report reads the file again with the lexer, which itself needs this module.
    from gateway.config.report import Report

    return Report(error, color=color, program=program, source=error.source).text()
