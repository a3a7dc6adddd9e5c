"""The rules of gateway check that a request's path meets: what looks wrong on the way it takes, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check.block import Block
from gateway.dev.check.circles import ASKING
from gateway.dev.check.command import check

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Source
    from gateway.dev.check.command import Found
    from gateway.dev.explain.findings import Findings

# Blocks that are met when something that is met names them; of others the request sees nothing.
_NAMED: Final = ("upstream", "map", "geo", "split_clients")
_OF_PATH: Final = ("main", "http", "server", "location", "if", "limit_except")


def tell_rules(source: Source, findings: Findings) -> None:
    """One finding for each problem on the way; `--fix` of check makes its edits."""
    met = {finding.where for finding in findings.all if finding.where is not None}
    groups = {finding.data["upstream"] for finding in findings.of("peers")}
    for each in _met(source, met, groups):
        rule, problem = each.rule, each.problem
        text = f"{rule.severity}: {problem.text} [{rule.id} {rule.name}]"
        findings.tell("looks wrong", text, problem.where, rule=rule.id, severity=rule.severity)


def _met(source: Source, met: Collection[Where], groups: Collection[str]) -> Iterator[Found]:
    around = {where: block for block in Block(None, list(source.statements), None).walk() for where in _places(block)}
    for each in check(source, skip=ASKING):  # what they find is what is explained
        block = around.get(each.problem.where)
        if block is not None and _on_the_way(block, met, groups):
            yield each


def _places(block: Block) -> Iterator[Where]:
    if block.opener is not None:
        yield block.opener.where
    for statement in block.statements:
        if statement.block is None:
            yield statement.where


def _on_the_way(block: Block, met: Collection[Where], groups: Collection[str]) -> bool:
    at: Block | None = block
    while at is not None:
        if at.name in _NAMED:
            return at.name == "upstream" and at.args[:1] != [] and at.args[0] in groups
        if at.name not in _OF_PATH:
            return False
        if at.name in ("server", "location", "if", "limit_except") and at.where not in met:
            return False
        at = at.outer
    return True
