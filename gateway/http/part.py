"""Parts of a location's plan: what is called with the request, in C where it is compiled.

A module's handler, head filter or log handler is a function, or a Part with its settings in attributes. The second
kind, with its types in a .pxd, costs a request a call in C and nothing else (CONTRIBUTING.md: when that is worth it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway._fast.value import Getter
from gateway.http.module import OK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.http.module import Result
    from gateway.http.request import Request


class Part:
    """The base: `run` is overridden. Calling one is the same, for what is not compiled."""

    @property
    def careful(self) -> bool:
        """Whether `run` sees to its errors itself, so that nobody has to wait for them."""
        return False

    def run(self, request: Request) -> Any:
        raise NotImplementedError

    def __call__(self, request: Request) -> Any:
        return self.run(request)


class FunctionPart(Part):
    """A function; one that is compiled, and declared in its module's .pxd, is called in C too."""

    def __init__(self, function: Callable[[Request], Any]) -> None:
        self.function = Getter(function)

    def run(self, request: Request) -> Any:
        return self.function.value(request)


def part_of(function: Callable[[Request], Any]) -> Part:
    """The Part that it is, or one that calls it."""
    return function if isinstance(function, Part) else FunctionPart(function)


class InTurn(Part):
    """Several, of which each runs whatever one before it raised."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)

    def run(self, request: Request) -> Any:
        i = 0
        while i < len(self.parts):  # one `try` for all of them, as long as none raises
            try:
                while i < len(self.parts):
                    part = self.parts[i]
                    i += 1
                    part.run(request)
            except Exception as error:
                request.cycle.crashed(request, error)
        return None


def log_phase(parts: Sequence[Part]) -> Part | None:
    """One part for all of these, which raises nothing; None where there is none."""
    return parts[0] if len(parts) == 1 and parts[0].careful else InTurn(parts) if parts else None


class MainOnly(Part):
    """A handler of the access phase: subrequests pass, nginx checks access for main requests alone."""

    def __init__(self, handler: Callable[[Request], Any]) -> None:
        self.handler = part_of(handler)

    def run(self, request: Request) -> Any:
        if request.parent is not None:
            return None
        result = self.handler.run(request)
        if result is None or result == OK:
            return None
        return result if isinstance(result, int) else _settled(result)


async def _settled(result: Awaitable[Result]) -> Result:
    value = await result
    return None if value == OK else value
