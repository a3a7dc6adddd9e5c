"""Edits of configuration files: made from the last one to the first, and shown as a diff."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.lexer import Lexer
from gateway.config.text import to_bytes, to_str
from gateway.config.whole_file import read_whole

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.lexer import Token
    from gateway.config.parser import Statement
    from gateway.dev.check.block import Block

# A backslash that would be read together with what follows it; others stay as they are.
_TAKEN_FOR_MORE: Final = re.compile(r"\\(?=[\\\"'tnr]|\Z)")


@dataclass(frozen=True, slots=True)
class Edit:
    """A statement becomes this text; `after`: the text is put behind it, on lines of its own where it has one."""

    where: Where
    text: str
    after: bool = False


def replaced(statement: Statement, *words: str) -> Edit:
    """The statement with these words instead of its own."""
    return Edit(statement.where, " ".join(words))


def removed(statement: Statement) -> Edit:
    return Edit(statement.where, "")


def added_behind(statement: Statement, *lines: str) -> Edit:
    return Edit(statement.where, "\n".join(lines), after=True)


def beside_pass(block: Block, statement: Statement, *lines: str) -> tuple[Edit, ...]:
    """What says how a request is passed on, behind the pass: nothing in an `if` or limit_except, which take none."""
    return () if block.name in ("if", "limit_except") else (added_behind(statement, *lines),)


def tokens(statement: Statement) -> list[Token]:
    """Its words as they stand in the file, the name first; lines count from its own. None of what came with -g."""
    where = statement.where
    if not where.file:
        return []
    lines = to_str(read_whole(where.file)).split("\n")[where.first_line - 1 :]
    lines[0] = lines[0][where.column - 1 :]
    return Lexer(to_bytes("\n".join(lines)), where.file).read().tokens


def quoted(word: str) -> str:
    """A word as it has to be written."""
    said = _TAKEN_FOR_MORE.sub(r"\\\\", word)
    if word and not any(c in word for c in " \t\r\n;{}\"'#"):
        return said
    return '"' + said.replace('"', '\\"') + '"'


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The file's text after the edits; of two that change the same statement the first is made."""
    spans: list[tuple[int, int, str]] = []
    taken: set[tuple[int, str]] = set()
    for edit in edits:
        begin, end, ending = _span(text, edit.where)
        kind = edit.text if edit.after else ""
        if (begin, kind) in taken:
            continue
        taken.add((begin, kind))
        line = text.rfind("\n", 0, begin) + 1
        indent = text[line:begin]
        alone = not indent.strip()
        if edit.after:
            deeper = "    " if ending == "{" else ""
            stop, new = _behind(text, end + 1, edit.text, indent + deeper if alone else None)
            spans.append((stop, stop, new))
        elif edit.text:
            # a line break between quotes is a part of a word
            lines = [edit.text] if '"' in edit.text else edit.text.split("\n")
            if len(lines) > 1 and ending == ";":
                stop, new = _behind(text, end + 1, "\n".join(lines[1:]) + ";", indent if alone else None)
                spans.append((stop, stop, new))
                spans.append((begin, end, lines[0].removesuffix(";")))
            else:
                new = f"\n{indent if alone else ' '}".join(lines)
                spans.append((begin, end, new + " " if ending == "{" else new))
        else:
            stop = end + 1
            if alone and text[stop : stop + 1] == "\n":
                spans.append((line, stop + 1, ""))  # the whole line
            else:
                spans.append((begin, stop, ""))
    for begin, end, new in sorted(spans, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _behind(text: str, stop: int, added: str, indent: str | None) -> tuple[int, str]:
    """Where what is added behind a statement goes, and how: with others on its line it goes between them; a comment
    stays with the line that it was written for. `indent`: of new lines, None where the statement begins no line.
    """
    ends = text.find("\n", stop)
    ends = len(text) if ends < 0 else ends
    rest = text[stop:ends].strip()
    if indent is None or (rest and not rest.startswith("#")):
        return stop, "".join(f" {each}" for each in added.split("\n"))
    return ends if rest else stop, "".join(f"\n{indent}{each}" for each in added.split("\n"))


def _span(text: str, where: Where) -> tuple[int, int, str]:
    """Where a statement begins, and where its ";" or "{" is."""
    lines = text.split("\n")
    begin = sum(len(line) + 1 for line in lines[: where.first_line - 1]) + where.column - 1
    data = to_bytes(text[begin:])
    lexer = Lexer(data, "x")
    reading = lexer.read()
    end = begin + len(to_str(data[: lexer.position])) - 1
    return begin, end, reading.ending.value


def diff(name: str, before: str, after: str) -> str:
    """The change as `diff -u` shows it."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a{name}", f"b{name}"
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
