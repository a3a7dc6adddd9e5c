from __future__ import annotations

import pytest
import trio

from gateway.core.lane import Fibre, FibreCancelled, Lane, current_fibre, in_trio, park, sleep
from tests.lanes import Crashes, running, until


async def test_spawn_runs_at_once_up_to_the_first_wait() -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append("begun")
        assert await park()
        seen.append("woken")

    async with running() as lane:
        fibre = lane.spawn(body())
        assert seen == ["begun"] and not fibre.done
        fibre.wake()
        assert seen == ["begun"]
        await until(lambda: fibre.done)
        assert seen == ["begun", "woken"]


@pytest.mark.parametrize("moved", [False, True])
async def test_cancel_ends_the_wait_and_runs_the_finally_blocks(moved: bool) -> None:
    caught: list[type[BaseException]] = []

    async def body() -> None:
        if moved:
            await in_trio()
        ready.append(1)
        try:
            await park()
        except BaseException as error:
            caught.append(type(error))
            raise

    async with running() as lane:
        ready: list[int] = []
        fibre = lane.spawn(body())
        await until(lambda: ready)
        fibre.cancel()
        fibre.cancel()
        await until(lambda: fibre.done)
        fibre.cancel()
        fibre.wake()
    assert caught == [trio.Cancelled if moved else FibreCancelled]


async def test_cancel_before_the_move_into_trio_is_not_lost() -> None:
    async def body() -> None:
        await in_trio()
        await trio.sleep_forever()

    async with running() as lane:
        fibre = lane.spawn(body())
        fibre.cancel()
        await until(lambda: fibre.done)


async def test_a_crash_is_told_and_the_lane_goes_on() -> None:
    async def body() -> None:
        await park()
        raise ValueError("mine")

    crashes = Crashes()
    own: list[Exception] = []
    async with running(Lane(on_crash=crashes)) as lane:
        first, second = lane.spawn(body()), lane.spawn(body(), own.append)
        first.wake()
        second.wake()
        await until(lambda: first.done and second.done)
        assert [(type(error), where) for error, where in crashes] == [(ValueError, first)]
        assert [str(error) for error in own] == ["mine"]
        lane.call_later(0, lambda: 1 / 0)
        await until(lambda: len(crashes) == 2)
        assert type(crashes[1][0]) is ZeroDivisionError


async def test_a_crash_in_a_task_is_told_too() -> None:
    async def body() -> None:
        await in_trio()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise ValueError("mine")

    crashes = Crashes()
    async with running(Lane(on_crash=crashes)) as lane:
        fibre = lane.spawn(body())
        await until(lambda: fibre.done)
        assert len(crashes) == 1 and crashes[0][1] is fibre


async def test_a_fibre_spawned_inside_a_fibre() -> None:
    order: list[str] = []

    async def inner() -> None:
        order.append("inner")
        await park()
        order.append("inner again")

    async def outer() -> None:
        me = current_fibre()
        child.append(lane.spawn(inner()))
        assert current_fibre() is me
        order.append("outer")
        await sleep(0)
        child[0].wake()

    async with running() as lane:
        child: list[Fibre] = []
        lane.spawn(outer())
        await until(lambda: child[0].done)
    assert order == ["inner", "outer", "inner again"]
    assert current_fibre() is None
