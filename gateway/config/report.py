"""An error of the configuration as a person wants to read it: nginx's line, the source, a caret, advice, a code."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.config import codes, known
from gateway.config.errors import ConfigError, LateError, Note, Where
from gateway.config.hints import hints
from gateway.config.lexer import Ending, Token
from gateway.config.outline import Outline, Place, context_of
from gateway.config.text import to_str

if TYPE_CHECKING:
    from gateway.config.parser import Source

_RED, _CYAN, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[36m", "\x1b[1m", "\x1b[0m"

# A line of the source is cut to this width, around the caret.
_WIDTH = 110

_BOM = "\ufeff"

_QUOTED_IN_MESSAGE = re.compile(r'"([^"]*)"')

# In front of every nginx configuration, and so out of place in a file that is included inside of http.
_MAIN_ONLY = frozenset({"user", "worker_processes", "events", "http", "pid", "daemon", "load_module"})


class Report:
    """What is to be said about one error."""

    def __init__(self, error: ConfigError, *, color: bool, program: str, source: Source | None = None) -> None:
        self._error = error
        self._color = color
        self._program = program
        self._outline = Outline(source.files if source else [], source.included if source else {})
        self._files = [name for name, _ in source.files] if source else []
        self._unread = source.error if source else None  # what ended the reading, later than this error

    def text(self) -> str:
        """Give the report, nginx's own line first and without a newline at the end."""
        error = self._error
        lines = [f"{self._program}: [{self._paint(_RED, error.level)}] {error}"]
        notes = self.notes()
        if error.where and error.where.file:
            shown = self.narrowed(error.where)
            # The end of the file, or of a block, says nothing where a note knows what is missing, nor does a line that
            # it shows itself.
            late = isinstance(error, LateError) or error.where == self._end(error.where.file)
            at_end = late and any(note.where for note in notes)
            if not at_end and not any(_same_line(shown, note) for note in notes):
                lines += self._source(shown, "", error.where.file)
        file = error.where.file if error.where else ""
        for note in notes:
            if note.where and note.where.file:
                lines += self._source(note.where, note.text, file)
                file = note.where.file
            else:
                lines.append(f"  {note.text}")
        kind = codes.kind_of(error.message)
        lines.append(f"  {kind.code}: gateway help {kind.code} says more")
        return "\n".join(lines)

    def notes(self) -> list[Note]:
        """What helps to understand it."""
        return [*self._error.notes, *self._advice()]

    def where(self) -> Where | None:
        """The place that nginx names, else the first that a note knows."""
        return self._error.where or next((note.where for note in self.notes() if note.where is not None), None)

    def narrowed(self, where: Where) -> Where:
        """The word that it is about."""
        return self._narrow(where, self._outline.find(where))

    def _end(self, file: str) -> Where:
        lines = self._outline.lines(file)
        return Where(file, len(lines), len(to_str(lines[-1])) + 1)

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._color else text

    def _source(self, where: Where, label: str, current_file: str) -> list[str]:
        """Show a line with a caret under the word at the place; the file's name if it is not the one spoken of."""
        lines = self._outline.lines(where.file)
        number = where.first_line
        line = to_str(lines[number - 1]).rstrip("\r") if number <= len(lines) else ""
        if not line.strip():
            return [f"  line {number}: {label}"] if label else []
        start = min(max(where.column - 1, 0), len(line))
        end = start + len(_word_at(line, start))
        # Behind the last character there is nothing to underline but the gap.
        marks = "".join("\t" if character == "\t" else " " for character in line[:start]) + "^" * max(end - start, 1)
        if len(line) > _WIDTH:
            cut = max(0, min(start - _WIDTH // 2, len(line) - _WIDTH))
            line, marks = line[cut : cut + _WIDTH], marks[cut : cut + _WIDTH]
        gutter = f"{number:5} | "
        head = [] if where.file == current_file else [f"  {where.file}:"]
        return [
            *head,
            f"{self._paint(_CYAN, gutter)}{_printable(line)}",
            f"{self._paint(_CYAN, ' ' * 5 + ' | ')}{self._paint(_RED, marks)}{' ' if label else ''}{label}",
        ]

    def _narrow(self, where: Where, place: Place | None) -> Where:
        """Go from the directive to the argument that the message speaks of, if there is one."""
        if place is None:
            return where
        tokens = place.reading.tokens
        if (where.first_line, where.column) != (tokens[0].where.line, tokens[0].where.column):
            return where
        named = _QUOTED_IN_MESSAGE.findall(self._error.message)
        for token in tokens[1:]:
            # A relative name of a file comes with its folder in the message.
            if (
                token.text
                and token.text != tokens[0].text
                and any(f"/{text}".endswith(f"/{token.text}") for text in named)
            ):
                return token.where
        return tokens[0].where

    def _advice(self) -> list[Note]:
        where, message = self._error.where, self._error.message
        place = self._outline.find(where) if where is not None and where.file else None
        if where is None or place is None:
            return list(hints(self._error, place, self._outline, self._files))
        name = place.reading.tokens[0].text
        if missing := _missing_end(place.reading.tokens, self._outline.lines(where.file)):
            return [missing]
        if message == f'unknown directive "{name}"':
            found = self._unknown(name, where, place.reading.ending is Ending.OPEN)
            return found or list(hints(self._error, place, self._outline, self._files))
        if message == f'"{name}" directive is not allowed here':
            return self._misplaced(name, where, place.reading.ending is Ending.OPEN)
        return list(hints(self._error, place, self._outline, self._files))

    def _context(self, where: Where) -> str:
        return context_of([reading.tokens[0].text for reading in self._outline.path(where)])

    def _unknown(self, name: str, where: Where, block: bool) -> list[Note]:
        if name.startswith(_BOM):
            return [Note("the file begins with a byte order mark (U+FEFF); save it as UTF-8 without one")]
        if owner := known.foreign(name):
            return [Note(owner)]
        if name.startswith("Rewrite"):  # Apache's, near to nginx's in name alone
            return []
        meant = known.nearest(name, self._context(where))
        if not meant:
            return []
        return [Note(f'did you mean "{meant}"?'), Note(f"allowed in: {self._allowed(meant, where, block)}")]

    def _allowed(self, name: str, where: Where, block: bool | None = None) -> str:
        """List where a directive may stand, as far as it concerns this part of the configuration."""
        contexts = known.allowed_in(name, block)
        outermost = next((reading.tokens[0].text for reading in self._outline.path(where)), "http")
        kind = outermost if outermost in ("stream", "mail") else ""
        near = [context for context in contexts if context.partition(" ")[0] in ("stream", "mail")]
        rest = [context for context in contexts if context not in near]
        wanted = [context for context in near if context.startswith(kind)] if kind else rest
        return ", ".join(wanted or contexts)

    def _misplaced(self, name: str, where: Where, block: bool) -> list[Note]:
        path = self._outline.path(where)
        included = self._outline.included_at(where.file)
        notes = [Note(f"allowed in: {self._allowed(name, where, block)}")]
        if path:
            notes.append(Note("it stands in this block", path[-1].where))
        elif "main" not in known.allowed_in(name) and included is None:
            notes.append(Note("it stands outside of all blocks"))
            names = {place.reading.tokens[0].text for place in self._outline.statements(where.file) if not place.blocks}
            if not names & {"http", "events"}:
                text = "this file is meant to be included in the http block of a main file, which can be as short as"
                main = f"events {{ }} http {{ include {where.file}; }}"
                notes.append(Note(f"{text}\n    {main}"))
                notes.append(Note(f"run it with\n    echo '{main}' > main.conf && gateway -c $PWD/main.conf"))
        if path and self._unread is not None and self._unread.notes and "end of file" in self._unread.message:
            notes += self._unread.notes
        if included and name in _MAIN_ONLY:
            notes.append(Note("this file is a whole configuration of its own, but it is included here", included))
        return notes


def _same_line(shown: Where, note: Note) -> bool:
    at = note.where
    missing = note.text.endswith("is missing here")
    return missing and at is not None and (at.file, at.first_line) == (shown.file, shown.first_line)


def _missing_end(tokens: list[Token], lines: list[bytes]) -> Note | None:
    """Find a directive's name at the beginning of a later line: the one before was not ended then."""
    opens = any(directive.block for directive in known.table().get(tokens[0].text, ()))
    for before, token in pairwise(tokens):
        if token.where.line == before.where.line or token.quoted or not known.table().get(token.text):
            continue
        text = to_str(lines[before.where.line - 1]) if before.where.line <= len(lines) else ""
        start = before.where.column - 1
        column = start + len(_word_at(text, start)) + 1
        what = "{" if opens else ";"
        return Note(f'"{what}" is missing here', Where(token.where.file, before.where.line, column))
    return None


def _word_at(line: str, start: int) -> str:
    """Give the word that begins at a column, with its quotes."""
    if start < len(line) and line[start] in "\"'":
        match = re.compile(r"(.)(?:\\.|(?!\1).)*\1?").match(line, start)
    elif line[start : start + 1] in "{};":
        return line[start : start + 1]
    else:
        match = re.compile(r"(?:\\.|\$\{|[^\s;{])+").match(line, start)
    return match[0] if match else line[start : start + 1].strip()


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() or character == "\t" else "\ufffd" for character in line)
