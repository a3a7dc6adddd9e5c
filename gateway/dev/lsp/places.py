"""What stands at a place of a text that is being written: the blocks around, the words before, the word itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config import known
from gateway.config.outline import Outline
from gateway.config.text import to_bytes

_PIECE: Final = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?P<sign>[;{}])
    | (?P<word>"(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | (?:\$\{|\\.|[^\s;{\\])(?:\$\{|\\.|[^\s;{\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_REST: Final = re.compile(r"(?:[^\s;{}\"'\\]|\\.)*")
# Each kind of block that a file may be meant for, from the outermost; with the text that makes a whole of it.
_WHOLES: Final = {
    "main": "",
    "http": "events {{}} http {{ include {file}; }}",
    "server": "events {{}} http {{ server {{ include {file}; }} }}",
    "location": "events {{}} http {{ server {{ location / {{ include {file}; }} }} }}",
    "stream": "events {{}} stream {{ include {file}; }}",
    "stream server": "events {{}} stream {{ server {{ include {file}; }} }}",
    "upstream": "events {{}} http {{ upstream u {{ include {file}; }} }}",
}
_AROUND: Final = {
    "main": [], "http": ["http"], "server": ["http", "server"], "location": ["http", "server", "location"],
    "stream": ["stream"], "stream server": ["stream", "server"], "upstream": ["http", "upstream"],
}  # fmt: skip


@dataclass(slots=True)
class At:
    """`blocks`: the names around, outermost first; `words`: of this directive, before the one at the place."""

    blocks: list[str]
    words: list[str]
    begun: str  # of the word, up to the place
    word: str  # all of it


def offset(lines: Sequence[str], line: int, character: int) -> int:
    """In the text of these lines, which are parted by one character each."""
    return sum(len(each) + 1 for each in lines[:line]) + character


def look(text: str, where: int) -> At | None:
    """None: it is in a comment."""
    blocks: list[str] = []
    words: list[str] = []
    for match in _PIECE.finditer(text, 0, where):
        if match["comment"]:
            if match.end() == where:
                return None
        elif match["word"]:
            if match.end() == where and "\n" not in text[match.start() : where]:
                rest = _REST.match(text, where)
                assert rest is not None  # it also matches nothing at all
                return At(blocks, words, match[0], match[0] + rest[0])
            words.append(match[0].strip("\"'"))
        else:
            if match["sign"] == "{":
                blocks.append(words[0] if words else "")
            elif match["sign"] == "}" and blocks:
                blocks.pop()
            words = []
    rest = _REST.match(text, where)
    assert rest is not None
    return At(blocks, words, "", rest[0])


def context_of_file(text: str) -> str:
    """Which block a file that stands alone is meant to be included in, by what is at its top."""
    names = _top(text)
    if {"events", "http", "stream", "mail"} & names or not names:
        return "main"
    for context in ("http", "server", "location", "stream", "stream server", "upstream"):
        if all(_fits(name, context) for name in names):
            return context
    return "http"


def _fits(name: str, context: str) -> bool:
    return name not in known.table() or known.find(name, context) is not None


def _top(text: str) -> set[str]:
    places = Outline([("x", to_bytes(text))], {}).statements("x")
    return {place.reading.tokens[0].text for place in places if place.reading.tokens and not place.blocks}


def whole_of(context: str, file: str) -> str:
    """A configuration that has the file at its place; nothing where it is one itself."""
    return _WHOLES[context].format(file=f'"{file}"')


def blocks_around(context: str) -> list[str]:
    return list(_AROUND[context])
