"""Rules about regular expressions: those that take for ever, and groups that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check import patterns, values
from gateway.dev.check.block import Block
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement


_TAKE_GROUPS: Final = frozenset({
    "set", "return", "proxy_pass", "alias", "root", "try_files", "add_header", "proxy_set_header", "uwsgi_param",
    "fastcgi_param", "scgi_param",
})  # fmt: skip


@rule("GW501", "regex-backtracking", "error")
def regex_backtracking(config: Block) -> Iterator[Problem]:
    """A loop that can read one text in two ways, like `(a+)+$` or `(.|x)+y`, has exponentially many ways to fail: one
    request with a long path holds a worker until the match limit ends it. Decided by the pattern's automaton."""
    for where, pattern in _patterns(config):
        if patterns.backtracks(pattern):
            yield Problem(
                where, f'"{pattern}" has a loop that reads one text in two ways: one request may hold a worker'
            )


@rule("GW503", "regex-adjacent-loops", "note")
def regex_adjacent_loops(config: Block) -> Iterator[Problem]:
    """`.*.*x` tries each place between the two loops: time grows with the square of the length. One loop says the
    same."""
    for where, pattern in _patterns(config):
        if patterns.adjacent_loops(pattern):
            yield Problem(where, f'"{pattern}" has two loops for the same characters behind each other: one is enough')


@rule("GW502", "group-missing", "error")
def group_missing(config: Block) -> Iterator[Problem]:
    """`$2` of a pattern that has one group is empty, and so is `$1` where no pattern was matched: nginx does not say
    so."""
    yield from _groups_of_nothing(config)
    for block, statement in config.everywhere("rewrite", "set", "return", "proxy_pass", "alias", "root"):
        pattern = _matched_before(block, statement)
        groups = patterns.groups_of(pattern) if pattern is not None else None
        if groups is None:
            continue
        words = statement.args[1:] if statement.name in ("rewrite", "set", "return") else statement.args[:1]
        wanted = [int(name) for word in words for name in values.names_in(word) if name.isdigit()]
        if wanted and max(wanted) > groups:
            text = f'${max(wanted)} is nothing: "{pattern}" has {groups or "no"} group{"s" if groups != 1 else ""}'
            yield Problem(statement.where, text)


def _groups_of_nothing(config: Block) -> Iterator[Problem]:
    """Numbered groups in a server that matches no pattern anywhere, and in lines of maps whose pattern has none."""
    maps = [line for each in config.walk("map") for line in each.statements if line.name.startswith("~") and line.args]
    for line in maps:
        pattern = line.name.lstrip("~*")
        groups = patterns.groups_of(pattern)
        if groups is not None and _highest(line.args) > groups:
            yield Problem(line.where, f'${_highest(line.args)} is nothing: "{pattern}" has {groups or "no"} groups')
    for server in config.walk("server"):
        if server.around("http") is None or maps or any(True for _ in _matching(server)):
            continue
        for block in server.walk():
            for statement in block.statements:
                if statement.name in _TAKE_GROUPS and _highest(statement.args):
                    text = f"${_highest(statement.args)} is nothing: this server matches no pattern that has groups"
                    yield Problem(statement.where, text)


def _matching(server: Block) -> Iterator[str]:
    """The patterns whose groups may be there somewhere in a server."""
    for block in server.walk():
        if block.name == "location" and block.is_regex:
            yield block.path
        if block.name == "if" and values.condition_of(block) is not None and not _negated(block):
            yield "if"
        for statement in block.all("rewrite"):
            yield statement.args[0]
        for statement in block.all("server_name"):
            yield from (word for word in statement.args if word.startswith("~"))


def _highest(words: list[str]) -> int:
    return max((int(name) for word in words for name in values.names_in(word) if name.isdigit()), default=0)


def _matched_before(block: Block, statement: Statement) -> str | None:
    """The pattern whose groups a statement gets, where that is certain: its own, or its block's."""
    if statement.name == "rewrite":
        return statement.args[0]
    before = block.statements[: block.statements.index(statement)]
    if any(each.name in ("rewrite", "if") for each in before):
        return None
    condition = values.condition_of(block)
    if condition is not None and not _negated(block):
        return condition[1]
    return block.path if block.name == "location" and block.is_regex else None


def _negated(block: Block) -> bool:
    return any(word.startswith("!~") for word in block.args)


@rule("GW504", "anchor-of-one-alternative", "warn")
def anchor_of_one_alternative(config: Block) -> Iterator[Problem]:
    """`^/admin|/private` anchors the first alternative alone: `/blog/private-life` matches too. A group around the
    alternatives, `^(?:/admin|/private)`, is what both belong to."""
    for where, pattern in _patterns(config):
        begin, end = patterns.half_anchored(pattern)
        if begin or end:
            mark = "^" if begin else "$"
            yield Problem(where, f'in "{pattern}" the {mark} is of one alternative alone: (?:…|…) around them')


def _patterns(config: Block) -> Iterator[tuple[Where, str]]:
    for block in config.walk("location"):
        if block.is_regex:
            yield block.where, block.path
    for block in config.walk("if"):
        condition = values.condition_of(block)
        if condition is not None:
            yield block.where, condition[1]
    for _, statement in config.everywhere("rewrite", "server_name"):
        if statement.name == "rewrite":
            yield statement.where, statement.args[0]
        else:
            for word in statement.args:
                if word.startswith("~"):
                    yield statement.where, word[1:]
    for block in config.walk("map"):
        for line in block.statements:
            if line.name.startswith("~"):
                yield line.where, line.name.lstrip("~*")
