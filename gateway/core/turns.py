"""Long work of one request in parts: a generator that yields where the others may have their turn.

A part should take a millisecond or two; `PORTION` is how many things of a list make one, of those that cost some 10 µs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable
from typing import Final, TypeVar

from gateway.core.lane import sleep

T = TypeVar("T")
V = TypeVar("V")
Work = Generator[None, None, T]

PORTION: Final = 100


def collected(items: Iterable[tuple[str, V]]) -> Work[dict[str, V]]:
    """A table of what is made one by one, each with its name."""
    found: dict[str, V] = {}
    for number, (name, item) in enumerate(items, 1):
        found[name] = item
        if number % PORTION == 0:
            yield
    return found


def in_turns(work: Work[T]) -> T | Awaitable[T]:
    """What it returns, if it does so before it first yields, as small work does; else an awaitable for a fibre."""
    try:
        next(work)
    except StopIteration as done:
        result: T = done.value
        return result
    return _rest(work)


async def _rest(work: Work[T]) -> T:
    try:
        while True:
            await sleep(0)
            next(work)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


def at_once(work: Work[T]) -> T:
    """Where nobody waits."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
