"""Rules about regular expressions that take for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.dev.check.block import Block
from gateway.dev.check.rule import Problem, rule

# A group with a repetition inside that is repeated itself: (a+)+, (a*)*, (.*)+ …
_NESTED: Final = re.compile(
    r"\((?:\?:|\?<\w+>)?(?:[^()\\]|\\.)*(?<!\\)[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\d*\})(?!\+)"
)
_FIXED_BETWEEN: Final = re.compile(r"[/.,_:-]")


@rule("GW501", "regex-backtracking", "error")
def regex_backtracking(config: Block) -> Iterator[Problem]:
    """A repetition of something that is itself a repetition, like `(a+)+$`, has exponentially many ways to fail: one
    request with a long path holds a worker until the match limit ends it."""
    for where, pattern in _patterns(config):
        found = _NESTED.search(pattern)
        if found is not None and not _FIXED_BETWEEN.search(re.sub(r"\[[^\]]*\]|\\.", "x", found[0])):
            yield Problem(where, f'"{found[0]}" repeats a repetition: one request may hold a worker')  # type: ignore[arg-type]


def _patterns(config: Block) -> Iterator[tuple[object, str]]:
    for block in config.walk("location"):
        if block.is_regex:
            yield block.where, block.path
    for block in config.walk("if"):
        words = block.args
        if len(words) >= 3 and words[1] in ("~", "~*", "!~", "!~*"):
            yield block.where, words[2].rstrip(")") if words[2].count(")") > words[2].count("(") else words[2]
    for _, statement in config.everywhere("rewrite", "server_name"):
        words = (
            statement.args[:1] if statement.name == "rewrite" else [w[1:] for w in statement.args if w.startswith("~")]
        )
        for word in words:
            yield statement.where, word
    for block in config.walk("map"):
        for line in block.statements:
            if line.name.startswith("~"):
                yield line.where, line.name.lstrip("~*")
