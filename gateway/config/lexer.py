"""nginx's lexical rules: bytes of a configuration to directives, one at a time.

The rules in short. White space separates words; ";" and "{" end a directive, "}" and "#" mean something only where a
word could begin. A word may be quoted as a whole, and after the closing quote only white space, ";", "{" or ")" may
come. A backslash hides the next character from all of these rules; it goes away only before a quote or a backslash,
and \\t, \\r, \\n become control characters; both in quoted and in bare words. "${" does not end a word.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from gateway.config.errors import ConfigError, Note, Where, place
from gateway.config.text import to_str

Offset = int  # C's Py_ssize_t where it is compiled

# nginx reads a configuration through a buffer of this size, and no word (or comment) may fill it.
BUFFER_SIZE = 4096

_GAP = re.compile(rb"(?:[ \t\r\n]++|#[^\n]*+)++")
_LONG_COMMENT = re.compile(rb"#[^\n]{%d}" % (BUFFER_SIZE - 1))
_WORD = re.compile(rb"(?:[^ \t\r\n;{\\$]++|\$\{*+|\\.)++", re.DOTALL)
_QUOTED = {
    b'"': re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL),
    b"'": re.compile(rb"(?:[^'\\]++|\\.)*+", re.DOTALL),
}
_ESCAPE = re.compile(rb"\\([\"'\\trn])")
_ESCAPES = {b"t": b"\t", b"r": b"\r", b"n": b"\n"}

# What most directives are: bare words without any escape on lines without comments; or the end of a block.
_BARE = rb"""(?:[^ \t\r\n\v\f;{}\"'\\#$]|\$(?!\{))(?:[^ \t\r\n\v\f;{\\$]++|\$(?!\{))*+"""
_SIMPLE = re.compile(rb"[ \t\r\n]*+(?:(%b(?:[ \t]++%b)*+)[ \t]*+([;{])|\})" % (_BARE, _BARE))

# A bare word that the lexer gives back as it is written.
_PLAIN = re.compile(r"[^ \t\r\n;{}#\"'\\$][^ \t\r\n;{\\$]*+")


class Token(NamedTuple):
    """One word: its text without quotes and escapes, and where it begins."""

    text: str
    quoted: bool
    where: Where


class Ending(Enum):
    """What stopped the reading of a directive."""

    SEMICOLON = ";"
    OPEN = "{"
    CLOSE = "}"  # without any words before it
    END = ""  # the file is at its end, without any words before it


class Reading(NamedTuple):
    """A directive as it was read: its words, what ended it, and the place nginx would name for it."""

    tokens: list[Token]
    ending: Ending
    where: Where


_ENDINGS = {b";": Ending.SEMICOLON, b"{": Ending.OPEN}


class Lexer:
    """Reads the directives of one file, or of the text of -g when the file's name is empty.

    Compiled with the types of lexer.pxd.
    """

    def __init__(self, data: bytes, file: str, mistakes: list[ConfigError] | None = None) -> None:
        """`mistakes`: a list for those that can be read on after, as if they had been put right."""
        self._mistakes = mistakes
        self._data = data
        self._file = file
        self._position = 0
        self._line = 1 if file else 0
        self._line_start = 0
        self._word_end = 0
        self._ascii = data.isascii()
        # of the directive that next() has read
        self.words: list[str] = []
        self.where: Where

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._position

    def next(self) -> Ending:
        """What ended the next directive; its `words` and `where`. Several times as fast as read() for a simple one."""
        position = self._position
        match = _SIMPLE.match(self._data, position)
        if match is None or match.end() - position >= BUFFER_SIZE:
            reading = self.read()
            self.words = [token.text for token in reading.tokens]
            self.where = reading.where
            return reading.ending
        text, ending = match.groups()
        end = match.end()
        begin = end - 1 if text is None else match.start(1)
        self._advance(begin)
        self.where = self._here(begin)
        self._position = end
        if text is None:
            self.words = []
            return Ending.CLOSE
        # as to_str() does it, which would be called for each word
        self.words = [word.decode("utf-8", "surrogateescape") for word in text.split()]
        return _ENDINGS[ending]

    def read(self) -> Reading:
        """Read up to the next ";", "{", "}" or the end, or raise the ConfigError that nginx would give."""
        data, size = self._data, len(self._data)
        tokens: list[Token] = []
        while True:
            self._skip()
            position = self._position
            if position >= size:
                if tokens:
                    raise self._at_end(tokens)
                return Reading(tokens, Ending.END, self._here(position))
            character = data[position : position + 1]
            if character in b";{":
                if not tokens:
                    self._wrong(ConfigError(f'unexpected "{character.decode()}"', self._here(position)))
                    self._position = position + 1
                    continue
                return self._ended(tokens, position)
            if character == b"}":
                if tokens:
                    self._wrong(ConfigError('unexpected "}"', self._here(position), notes=self._unfinished(tokens)))
                    return Reading(tokens, Ending.SEMICOLON, tokens[0].where)
                self._position = position + 1
                return Reading(tokens, Ending.CLOSE, self._here(position))
            end = self._quoted(tokens, character) if character in _QUOTED else self._bare(tokens)
            self._word_end = end
            if end < size and data[end] in b";{":
                return self._ended(tokens, end)

    def _wrong(self, error: ConfigError) -> None:
        if self._mistakes is None:
            raise error
        self._mistakes.append(error)

    def _skip(self) -> None:
        """Go to the next byte that is neither white space nor in a comment."""
        match = _GAP.match(self._data, self._position)
        if match is None:
            return
        if match.end() - match.start() >= BUFFER_SIZE:
            self._check_comments(match.end())
        self._advance(match.end())

    def _check_comments(self, end: int) -> None:
        """Refuse a comment that nginx could not read in one piece, among those up to the end."""
        position = self._position
        while (start := self._data.find(b"#", position, end)) >= 0:
            if _LONG_COMMENT.match(self._data, start, end):
                self._advance(start)
                self._limit(start, start + BUFFER_SIZE)
            position = self._data.find(b"\n", start, end)
            if position < 0:
                return

    def _quoted(self, tokens: list[Token], quote: bytes) -> int:
        data, opening = self._data, self._position
        start = opening + 1
        match = _QUOTED[quote].match(data, start)
        assert match is not None  # it also matches nothing at all
        end = match.end()
        # A lone backslash before the end of the file hides nothing and is no end either.
        if data[end : end + 1] != quote:
            self._limit(start, len(data) - 1, quote)
            unclosed = Note("this quote is never closed", self._here(opening))
            self._advance(len(data))
            raise self._at_end(tokens, unclosed)
        self._limit(start, end, quote)
        tokens.append(self._token(opening, data[start:end], quoted=True))
        self._advance(end + 1)
        after = data[end + 1 : end + 2]
        if after:
            self._limit(start, end + 1, token=tokens[-1])
            if after not in b" \t\r\n;{)":
                self._advance(end + 2)
                message = f'unexpected "{to_str(after)}"'
                notes = (Note("the word ended with its quote"),)
                self._wrong(ConfigError(message, self._here(end + 1), notes=notes))
                self._position = end + 1
            if after in b" \t\r\n":
                self._limit(start, end + 2, token=tokens[-1])
        return end + 1

    def _bare(self, tokens: list[Token]) -> int:
        data, start = self._data, self._position
        match = _WORD.match(data, start)
        end = match.end() if match else start
        # What cannot be part of a word here is white space, ";", "{" or a backslash at the very end of the file.
        if end >= len(data) or data[end : end + 1] == b"\\":
            self._limit(start, len(data) - 1)
            self._advance(len(data))
            raise self._at_end(tokens)
        self._limit(start, end if data[end] in b";{" else end + 1)
        tokens.append(self._token(start, data[start:end], quoted=False))
        self._advance(end)
        return end

    def _token(self, position: int, raw: bytes, *, quoted: bool) -> Token:
        if b"\\" in raw:
            raw = _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), raw)
        return Token(to_str(raw), quoted, self._here(position))

    def _ended(self, tokens: list[Token], position: int) -> Reading:
        self._position = position + 1
        first = tokens[0].where
        where = Where(self._file, self._line, first.column, 0 if first.line == self._line else first.line)
        return Reading(tokens, Ending(chr(self._data[position])), where)

    def _advance(self, position: Offset) -> None:
        """Move on, counting the lines between."""
        if newlines := self._data.count(b"\n", self._position, position):
            self._line += newlines
            self._line_start = self._data.rfind(b"\n", 0, position) + 1
        self._position = position

    def _here(self, position: Offset) -> Where:
        """Name a position on the current line."""
        start = self._line_start
        column = position - start if self._ascii else self._characters(start, position)
        return place(self._file, self._line, column + 1)

    def _characters(self, start: Offset, end: Offset) -> Offset:
        return len(to_str(self._data[start:end]))

    def _limit(self, start: int, needed: int, quote: bytes = b"", token: Token | None = None) -> None:
        """Refuse a word from start on if nginx could not get the byte at needed into its buffer as well."""
        # At the end of the file it says that, even where no byte more had gone in.
        if needed - start < BUFFER_SIZE or start + BUFFER_SIZE >= len(self._data) or not self._file:
            return
        where = token.where if token else self._here(start - len(quote))
        if quote:
            message = f'too long parameter, probably missing terminating "{quote.decode()}" character'
        else:
            message = f'too long parameter "{to_str(self._data[start : start + 10])}..." started'
        raise ConfigError(message, where)

    def _at_end(self, tokens: list[Token], note: Note | None = None) -> ConfigError:
        where = self._here(len(self._data))
        notes = (note,) if note else self._unfinished(tokens)
        if not self._file:
            return ConfigError('unexpected end of parameter, expecting ";"', where, notes=notes)
        return ConfigError('unexpected end of file, expecting ";" or "}"', where, notes=notes)

    def _unfinished(self, tokens: list[Token]) -> tuple[Note, ...]:
        """Point behind the last word, where the semicolon was left out."""
        if not tokens:
            return ()
        end = self._word_end
        line_start = self._data.rfind(b"\n", 0, end) + 1
        lines_back = self._data.count(b"\n", end, self._position)
        column = self._characters(line_start, end) + 1
        return (Note('";" is missing here', Where(self._file, self._line - lines_back, column)),)


def quote(text: str) -> str:
    """Write a word so that the lexer reads this text again."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
