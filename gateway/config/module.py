"""A module outside the http block: its directives and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config.conf import Conf
from gateway.config.directive import Directive


@dataclass(frozen=True, eq=False, slots=True)
class CoreModule:
    """What the loader needs of a module whose directives stand in the main context or in a block of its own."""

    name: str
    main: type[Conf] | None = None
    directives: tuple[Directive, ...] = ()
