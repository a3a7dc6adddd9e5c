from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from gateway.core.lane import FibreCancelled, Lane, current_fibre, in_trio, park, sleep
from tests.lanes import Crashes, pair, running, until


async def test_a_wake_before_the_wait_counts_once() -> None:
    results: list[bool] = []

    async def body() -> None:
        fibre = current_fibre()
        assert fibre is not None
        fibre.wake()
        fibre.wake()
        results.append(await park())
        results.append(await park(lane.now + 0.01))

    async with running() as lane:
        fibre = lane.spawn(body())
        await until(lambda: fibre.done)
    assert results == [True, False]


async def test_two_wakes_resume_once() -> None:
    resumed: list[bool] = []

    async def body() -> None:
        resumed.append(await park())
        resumed.append(await park(lane.now + 0.01))

    async with running() as lane:
        fibre = lane.spawn(body())
        fibre.wake()
        fibre.wake()
        await until(lambda: fibre.done)
    # what came before the fibre ran again is one wake; a flag that stayed would have ended the second wait
    assert resumed == [True, False]


@pytest.mark.parametrize("moved", [False, True])
async def test_deadlines_by_the_clock_of_trio(autojump_clock: trio.testing.MockClock, moved: bool) -> None:
    times: list[tuple[bool, float]] = []

    async def body() -> None:
        if moved:
            await in_trio()
        begin = lane.now
        for deadline in (5.0, 2.0, 60.0):
            times.append((await park(lane.now + deadline), lane.now - begin))
        await sleep(7)
        times.append((True, lane.now - begin))

    async with running(Lane(clock=trio.current_time)) as lane:
        fibre = lane.spawn(body())
        while not fibre.done:
            await trio.sleep(1)
    assert [ok for ok, _ in times] == [False, False, False, True]
    assert [at for _, at in times] == pytest.approx([5, 7, 67, 74])


@pytest.mark.parametrize("moved", [False, True])
async def test_sleep_keeps_wakes_for_the_next_park(autojump_clock: trio.testing.MockClock, moved: bool) -> None:
    results: list[object] = []

    async def body() -> None:
        if moved:
            await in_trio()
        begin = lane.now
        await sleep(10)
        results.append(lane.now - begin)
        results.append(await park())

    async with running(Lane(clock=trio.current_time)) as lane:
        fibre = lane.spawn(body())
        await trio.sleep(5)
        fibre.wake()
        await trio.sleep(20)
        assert fibre.done
    assert results == [pytest.approx(10), True]


async def test_sleep_zero_lets_others_run() -> None:
    order: list[str] = []

    async def body(name: str) -> None:
        for _ in range(3):
            order.append(name)
            await sleep(0)

    async with running() as lane:
        fibres = [lane.spawn(body(name)) for name in "ab"]
        await until(lambda: all(fibre.done for fibre in fibres))
    assert "".join(order) == "ababab"


async def test_every_wait_of_a_cancelled_fibre_raises() -> None:
    waits = 0

    async def body() -> None:
        nonlocal waits
        fibre = current_fibre()
        assert fibre is not None
        fibre.cancel()
        for wait in (park, lambda: sleep(1), in_trio, lambda: stream.wait_readable(), lambda: stream.wait_room()):
            try:
                await wait()
            except FibreCancelled:
                waits += 1

    async with running() as lane:
        stream, peer = pair(lane)
        fibre = lane.spawn(body())
        assert fibre.done and waits == 5
        peer.close()


async def test_trio_before_in_trio_is_a_mistake_that_is_named() -> None:
    async def body() -> None:
        await trio.sleep(1)

    crashes = Crashes()
    async with running(Lane(on_crash=crashes)) as lane:
        fibre = lane.spawn(body())
        assert fibre.done
    assert "in_trio()" in str(crashes[0][0])


@pytest.mark.parametrize("wait", [park, in_trio, lambda: sleep(0)])
async def test_waits_outside_a_fibre_are_refused(wait: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="fibre"):
        wait()


async def test_after_the_move_trio_and_the_lane_work_together() -> None:
    steps: list[object] = []

    async def body() -> None:
        await in_trio()
        await in_trio()
        steps.append(trio.lowlevel.current_task().name)
        with trio.move_on_after(0.01) as scope:
            await park()
        steps.append(scope.cancelled_caught)
        steps.append(await park(lane.now + 0.01))
        steps.append(await park())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0.01)
            await stream.wait_readable()
            steps.append(stream.recv())

    async with running() as lane:
        stream, peer = pair(lane)
        fibre = lane.spawn(body())
        await until(lambda: len(steps) == 3)
        fibre.wake()
        fibre.wake()
        peer.send(b"x")
        await until(lambda: fibre.done)
        peer.close()
    assert steps[1:] == [True, False, True, b"x"]
