"""A configuration with mistakes: without the lines that are wrong, and up to where it could be read.

No server starts with it; but what becomes of a request until one of those lines is often what is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.config import parser
from gateway.config.errors import ConfigError
from gateway.process.load import Loaded, everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.errors import Where
    from gateway.config.parser import Block, Source
    from gateway.process.options import Options

_MOST: Final = 50  # mistakes


def load(options: Options, first: ConfigError) -> tuple[Loaded, list[ConfigError]]:
    """What is left, and what was wrong, as it was found. Errors: `first`, where nothing is left that makes sense."""
    wrong: list[ConfigError] = []
    left_out: list[Where] = []
    while len(wrong) < _MOST:
        source = parser.load(options.conf_file, globals_text=options.globals_text)
        said = [source.error] if source.error is not None else []
        _end_at_the_error(source)
        for where in left_out:
            _leave_out(source.statements, where)
        try:
            loaded = Loaded(options, source, everything(source))
            loaded.read()
        except ConfigError as error:
            place = error.where
            if place is None or place in left_out or not _leave_out(source.statements, place):
                raise first from None
            wrong.append(error)
            left_out.append(place)
            continue
        return loaded, wrong + said
    raise first


def _end_at_the_error(source: Source) -> None:
    source.error = None
    todo = [source.statements]
    while todo:
        block = todo.pop()
        block.error = None
        todo += [statement.block for statement in block if statement.block is not None]


def _leave_out(block: Block, where: Where) -> bool:
    """Take the statement away that stands there; of several on its line the one at this column, else the first."""
    exact = _find(block, lambda at: at == where)
    found = exact or _find(block, lambda at: (at.file, at.line) == (where.file, where.line))
    if found is None:
        return False
    inside, number = found
    del inside[number]
    return True


def _find(block: Block, fits: Callable[[Where], bool]) -> tuple[Block, int] | None:
    """The block that has it, and its place there; what stands in others comes first."""
    for number, statement in enumerate(block):
        inner = _find(statement.block, fits) if statement.block is not None else None
        if inner is not None:
            return inner
        if fits(statement.where):
            return block, number
    return None
