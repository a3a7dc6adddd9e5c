"""The configurations in tests/data/config, and how the tests walk them."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.config import known
from gateway.config.errors import ConfigError
from gateway.config.outline import context_of
from gateway.config.parser import Source, Statement, load

DATA = Path(__file__).parents[1] / "data" / "config"
GOOD = sorted(DATA.glob("good/*.conf"))
BAD = sorted(DATA.glob("bad/*.conf"))


def first_error(path: Path) -> ConfigError | None:
    """Find what nginx would complain of first, as far as the table of directives alone can tell."""
    source = load(str(path))
    try:
        _walk(source, source.statements, [])
    except ConfigError as error:
        return error
    return None


def _walk(source: Source, statements: list[Statement], names: list[str]) -> None:
    for statement in statements:
        block = statement.block is not None
        message = known.refusal(statement.name, statement.args, block, context_of(names))
        if not message and known.table()[statement.name][0].arguments == "flag":
            message = known.table()[statement.name][0].misuse(statement.args, block)
        if message and not message.endswith("is not supported yet"):
            error = ConfigError(message, statement.where)
            error.source = source
            raise error
        if statement.block is not None:
            if statement.name in known.DATA_BLOCKS:
                list(statement.block)
            else:
                _walk(source, statement.block, [*names, statement.name])


def outline(statements: list[Statement], depth: int = 0) -> str:
    """Write a tree down, a statement a line, each word as JSON has it."""
    lines = []
    for statement in statements:
        mark = "" if statement.block is None else " {}"
        words = " ".join(json.dumps(word, ensure_ascii=False) for word in (statement.name, *statement.args))
        lines.append(f"{'    ' * depth}{Path(statement.where.file).name}:{statement.where.line} {words}{mark}\n")
        lines.append(outline(statement.block or [], depth + 1))
    return "".join(lines)
