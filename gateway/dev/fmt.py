"""gateway fmt: a configuration file with four spaces for each block; words and comments stay as they are.

What is written is read again: the words before and after have to be equal, or nothing is changed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.config.errors import ConfigError, Note
from gateway.config.lexer import Ending, Lexer
from gateway.config.text import to_bytes, to_str
from gateway.dev.check.edits import diff

if TYPE_CHECKING:
    from gateway.config.errors import Where

_INDENT: Final = "    "
# A piece of a file: a comment, a word in quotes, a bare word, one of the three signs, or line ends, for blank lines.
_PIECE: Final = re.compile(
    r"""
    (?P<newlines>\n[ \t\r\n]*) | [ \t\r]+ | (?P<comment>\#[^\n]*) | (?P<sign>[;{}])
    | (?P<word>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | (?:\$\{|\\.|[^\s;{\\])(?:\$\{|\\.|[^\s;{\\])*)
    """,
    re.VERBOSE | re.DOTALL,
)


class Changed(Exception):
    """The file would mean something else: a fault of the formatter, and nothing is written."""


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway fmt",
        description="Format configuration files without changing what they mean; without an option to standard output. "
        "Exit codes: 0 done, 1 --check found something to do or a file cannot be read, 2 wrong use.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help="- for standard input")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--write", "-w", action="store_true", help="write the files")
    form.add_argument("--check", action="store_true", help="say which files are not formatted")
    form.add_argument("--diff", action="store_true", help="show what would change")
    return made


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    failed = 0
    for name in options.files:
        try:
            before = sys.stdin.read() if name == "-" else to_str(Path(name).read_bytes())
            after = formatted(before, name)
        except (OSError, ConfigError, Changed) as why:
            print(f"gateway fmt: {why}", file=sys.stderr)
            for note in why.notes if isinstance(why, ConfigError) else ():
                print(f"  {note.where}: {note.text}" if note.where else f"  {note.text}", file=sys.stderr)
            failed = 1
            continue
        if options.check:
            if before != after:
                print(f"{name} is not formatted")
                failed = 1
        elif options.diff:
            print(diff("/" + name.lstrip("/"), before, after), end="")
        elif options.write and name != "-":
            if before != after:
                Path(name).write_bytes(to_bytes(after))
        else:
            sys.stdout.write(after)
    return failed


def formatted(text: str, name: str = "-") -> str:
    """The text with one directive a line. Errors: ConfigError for what nginx would not read, Changed."""
    words = _words(text, name)
    after = "".join(_lines(text))
    if _words(after, name) != words or _comments(after) != _comments(text):
        raise Changed(f"{name} would not mean the same; please report it")
    return after


def _words(text: str, name: str) -> list[tuple[list[str], Ending]]:
    lexer = Lexer(to_bytes(text), name)
    found = []
    open_blocks: list[tuple[str, Where]] = []
    while True:
        reading = lexer.read()
        found.append(([token.text for token in reading.tokens], reading.ending))
        if reading.ending is Ending.OPEN:
            open_blocks.append((reading.tokens[0].text, reading.where))
        elif reading.ending is Ending.CLOSE:
            if not open_blocks:
                raise ConfigError('unexpected "}"', reading.where)
            open_blocks.pop()
        elif reading.ending is Ending.END:
            if open_blocks:
                opener, where = open_blocks[-1]
                notes = (Note(f'this "{opener}" block is not closed', where),)
                raise ConfigError('unexpected end of file, expecting "}"', reading.where, notes=notes)
            return found


def _comments(text: str) -> list[str]:
    return [match["comment"].rstrip() for match in _PIECE.finditer(text) if match["comment"]]


def _lines(text: str) -> Iterator[str]:
    depth = 0
    line: list[str] = []  # words of the directive that is being read
    parts: list[str] = []  # lines that it has already
    blank = False
    fresh = True  # nothing was written yet, or a block was opened: no blank line comes first
    behind = False  # a directive ended on this line: a comment goes behind it
    pending = ""  # the line to be written, without its end
    for match in _PIECE.finditer(text):
        if match["newlines"]:
            if pending:
                yield pending + "\n"
                pending = ""
            if line:  # a directive of several lines keeps them
                parts.append(" ".join(line))
                line = []
            behind = False
            blank = blank or match["newlines"].count("\n") > 1
            continue
        if match["comment"]:
            comment = match["comment"].rstrip()
            if behind and pending:
                pending += "  " + comment
                continue
            if line or parts:
                line.append(comment)
                continue
            if blank and not fresh:
                yield "\n"
            yield _INDENT * depth + comment + "\n"
            blank = fresh = False
            continue
        if match["word"]:
            if match["word"] == ")" and line and line[-1][:1] in "\"'" and line[-1][-1] == line[-1][0]:
                line[-1] += ")"  # to nginx a word of its own, which a condition ends with
            else:
                line.append(match["word"])
            continue
        if not match["sign"]:
            continue
        if pending:
            yield pending + "\n"
        sign = match["sign"]
        if not line and parts and not _ends_in_comment(parts[-1]):
            line.append(parts.pop())  # the sign stands alone on its line
        if sign == "}" and not line and not parts:
            depth = max(depth - 1, 0)
            pending = _INDENT * depth + "}"
            blank, fresh, behind = False, False, True
            continue
        if blank and not fresh:
            yield "\n"
        head = _INDENT * depth
        for number, part in enumerate(parts):
            yield head + (_INDENT if number else "") + part + "\n"
        body = " ".join(line)
        lead = head + (_INDENT if parts else "")
        pending = lead + body + (";" if sign == ";" else " {" if body else "{")
        line, parts = [], []
        blank, fresh, behind = False, sign == "{", True
        depth += sign == "{"
    if pending:
        yield pending + "\n"
    if line or parts:
        yield _INDENT * depth + " ".join([*parts, *line]) + "\n"


def _ends_in_comment(line: str) -> bool:
    return any(match["comment"] for match in _PIECE.finditer(line))
