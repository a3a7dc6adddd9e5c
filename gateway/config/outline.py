"""Which blocks enclose a place of the configuration: what advice on an error has to know."""

from __future__ import annotations

from typing import NamedTuple

from gateway.config.errors import ConfigError, Where
from gateway.config.lexer import Ending, Lexer, Reading
from gateway.config.text import to_bytes
from gateway.config.whole_file import read_whole

_STREAM_OR_MAIL = ("stream", "mail")


class Place(NamedTuple):
    """A directive and the blocks around it in the same file, outermost first."""

    reading: Reading
    blocks: tuple[Reading, ...]


class Outline:
    """Finds directives again by their place, in the files of a configuration."""

    def __init__(self, files: list[tuple[str, bytes]], included: dict[str, Where]) -> None:
        self._files = dict(files)
        self._included = included
        self._places: dict[str, list[Place]] = {}

    def lines(self, file: str) -> list[bytes]:
        """Give a file's lines; none if it cannot be read."""
        return self._data(file).split(b"\n")

    def statements(self, file: str) -> list[Place]:
        """List the directives of a file as far as it can be read."""
        if file not in self._places:
            self._places[file] = self._read(file)
        return self._places[file]

    def _read(self, file: str) -> list[Place]:
        lexer = Lexer(self._data(file), file)
        found: list[Place] = []
        blocks: tuple[Reading, ...] = ()
        while True:
            try:
                reading = lexer.read()
            except ConfigError:
                return found
            if reading.ending is Ending.END:
                return found
            if reading.ending is Ending.CLOSE:
                blocks = blocks[:-1]
                continue
            found.append(Place(reading, blocks))
            if reading.ending is Ending.OPEN:
                blocks = (*blocks, reading)

    def find(self, where: Where) -> Place | None:
        """Find the directive at a place, or the one that the place is a word of."""
        at = (where.first_line, where.column)
        best: Place | None = None
        for place in self.statements(where.file):
            first = place.reading.where
            if (first.first_line, first.column) <= at:
                best = place
        if best is None or at[0] > best.reading.where.line:
            return None
        return best

    def path(self, where: Where) -> list[Reading]:
        """List the blocks around a place, outermost first, also those of the files that include it."""
        place = self.find(where)
        path = list(place.blocks) if place else []
        file, seen = where.file, {where.file}
        while (include := self._included.get(file)) and include.file not in seen:
            outer = self.find(include)
            path[:0] = outer.blocks if outer else []
            file = include.file
            seen.add(file)
        return path

    def included_at(self, file: str) -> Where | None:
        """Say which include brought a file in."""
        return self._included.get(file)

    def _data(self, file: str) -> bytes:
        if file not in self._files:
            try:
                self._files[file] = read_whole(to_bytes(file))
            except (OSError, ValueError):
                self._files[file] = b""
        return self._files[file]


def context_of(names: list[str]) -> str:
    """Name the context inside blocks of these names, outermost first, as the table of directives does."""
    if not names:
        return "main"
    last = names[-1]
    if last == "if":
        return "if in location" if "location" in names else "if in server"
    if names[0] in _STREAM_OR_MAIL and len(names) > 1:
        return f"{names[0]} {last}"
    return last
