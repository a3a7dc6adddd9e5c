"""What a rule of gateway check is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.dev.check.block import Block
    from gateway.dev.check.edits import Edit

# error: somebody can do harm, or it does not work; warn: it does other than it seems to; note: there is a better way.
Severity = Literal["error", "warn", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule found at one place, with the edits that mend it together."""

    where: Where
    text: str
    edits: tuple[Edit, ...] = field(default=())


Look = Callable[["Block"], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` stays the same for ever; `reason` is what the documentation says."""

    id: str
    name: str
    severity: Severity
    reason: str
    look: Look


RULES: Final[dict[str, Rule]] = {}


def rule(id: str, name: str, severity: Severity) -> Callable[[Look], Look]:
    """Put a function into the table; its docstring is the reason."""

    def add(look: Look) -> Look:
        assert id not in RULES
        RULES[id] = Rule(id, name, severity, " ".join((look.__doc__ or "").split()), look)
        return look

    return add
