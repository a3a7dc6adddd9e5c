"""turns: long work in parts, with others between them."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from gateway.core.turns import PORTION, Work, at_once, collected, in_turns
from tests.lanes import running, until


def _work(parts: int, done: list[str], name: str = "a", fails: bool = False) -> Work[str]:
    try:
        for _ in range(parts):
            done.append(name)
            yield
        if fails:
            raise ValueError(name)
        return f"{name} is through"
    finally:
        done.append(f"{name} ends")


def test_small_work_is_done_in_place() -> None:
    done: list[str] = []
    assert in_turns(_work(0, done)) == "a is through"
    assert done == ["a ends"]


def test_a_long_table_is_collected_in_parts() -> None:
    """Nothing is made before its part comes."""
    made: list[int] = []
    work = collected((str(number), made.append(number)) for number in range(2 * PORTION + 1))
    for part in (1, 2):
        next(work)
        assert len(made) == part * PORTION
    with pytest.raises(StopIteration) as done:
        next(work)
    assert list(done.value.value) == [str(number) for number in range(2 * PORTION + 1)]


def test_where_nobody_waits() -> None:
    assert at_once(_work(3, [])) == "a is through"


async def test_others_have_their_turn_between_two_parts() -> None:
    done: list[str] = []
    found: list[str] = []

    async def one(name: str) -> None:
        rest = in_turns(_work(3, done, name))
        assert isinstance(rest, Awaitable)
        found.append(await rest)

    async with running() as lane:
        lane.spawn(one("a"))
        lane.spawn(one("b"))
        await until(lambda: len(found) == 2)
    assert done == ["a", "b", "a", "b", "a", "b", "a ends", "b ends"]
    assert found == ["a is through", "b is through"]


async def test_an_error_comes_out() -> None:
    found: list[str] = []

    async def one() -> None:
        rest = in_turns(_work(2, [], fails=True))
        assert isinstance(rest, Awaitable)
        with pytest.raises(ValueError):
            await rest
        found.append("raised")

    async with running() as lane:
        lane.spawn(one())
        await until(lambda: bool(found))


async def test_work_that_is_given_up_ends() -> None:
    done: list[str] = []

    async def one() -> None:
        rest = in_turns(_work(1 << 30, done))
        assert isinstance(rest, Awaitable)
        await rest

    async with running() as lane:
        lane.spawn(one())
        await until(lambda: done.count("a") > 3)
    assert done[-1] == "a ends"
