"""Setters of stream directives whose values are evaluated for each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import Command, Context
from gateway.core.template import Template, compile_template

if TYPE_CHECKING:
    from gateway.stream.cycle import StreamCycle


def cycle_of(command: Command) -> StreamCycle:
    """The stream block that this directive stands in."""
    scope = command.scope.enclosing(Context.STREAM)
    assert scope is not None
    return scope.owner  # type: ignore[no-any-return]


def template(command: Command, text: str) -> Template:
    """Compile an argument of this directive."""
    return compile_template(text, cycle_of(command).variables, command.where)
