"""Modules that packages from pip bring: `load_module NAME;` names an entry point of the group gateway.modules.

A name without a path and without `.so`, as nginx has none. It stands for an HttpModule (gateway.http.module) with
directives and variables of its own; docs/python.md has one. Without such a line no package is looked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gateway.config import known
from gateway.config.errors import ConfigError, Where

if TYPE_CHECKING:
    from gateway.config.parser import Statement
    from gateway.http.module import HttpModule

GROUP: Final = "gateway.modules"


def of(statements: Iterable[Statement]) -> tuple[HttpModule, ...]:
    """The modules that a configuration loads, each once. Errors: ConfigError."""
    found: dict[str, HttpModule] = {}
    for statement in statements:
        if statement.name == "load_module" and statement.block is None and len(statement.args) == 1:
            name = statement.args[0]
            if is_name(name) and name not in found:
                module = _loaded(name, statement.where)
                if module is not None:
                    found[name] = module
    return tuple(found.values())


def is_name(word: str) -> bool:
    """Whether it is no file."""
    return "/" not in word and not word.endswith(".so")


@functools.cache
def is_there(name: str) -> bool:
    """Whether a package has it."""
    from importlib.metadata import entry_points  # late: it takes a while, and few ask

    return bool(entry_points(group=GROUP, name=name))


def _loaded(name: str, where: Where) -> HttpModule | None:
    from importlib.metadata import entry_points

    from gateway.http.module import HttpModule

    for point in entry_points(group=GROUP, name=name):
        try:
            module = point.load()
        except (Exception, SystemExit) as error:
            raise ConfigError(f'load_module "{name}" failed: {type(error).__name__}: {error}', where) from error
        if not isinstance(module, HttpModule):
            what = type(module).__name__
            raise ConfigError(f'load_module "{name}" failed: {point.value} is no HttpModule ({what})', where)
        for directive in module.directives:
            if known.table().get(directive.name) or directive.name in known.OWN:
                raise ConfigError(f'load_module "{name}" failed: "{directive.name}" is there already', where)
        return module
    return None
