from __future__ import annotations

import functools

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.lane import Lane, Timer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def closed(lane: Lane) -> None:
    lane.end()
    lane.release()


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60))
def test_timers_fire_in_order_and_cancelled_ones_do_not(plan: list[tuple[int, bool]]) -> None:
    clock = Clock()
    lane = Lane(clock)
    fired: list[int] = []
    timers: list[Timer] = [
        lane.call_later(delay, functools.partial(fired.append, n)) for n, (delay, _) in enumerate(plan)
    ]
    for timer, (_, cancel) in zip(timers, plan, strict=True):
        if cancel:
            timer.cancel()
    for _ in range(22):
        lane.turn()
        clock.now += 1
    kept = [(delay, n) for n, (delay, cancel) in enumerate(plan) if not cancel]
    assert fired == [n for _, n in sorted(kept)]
    assert not any(timer.active for timer in timers)
    closed(lane)


def test_a_timer_set_by_a_timer_waits_for_the_next_round() -> None:
    lane = Lane(Clock())
    calls: list[int] = []

    def again() -> None:
        calls.append(1)
        if len(calls) < 50:
            lane.call_later(0, again)

    lane.call_later(0, again)
    while lane.turn() == 0 or len(calls) < 50:
        pass
    assert len(calls) == 50
    closed(lane)


def test_cancelling_twice_and_after_the_fact() -> None:
    lane = Lane(Clock())
    calls: list[int] = []
    timer = lane.call_later(0, lambda: calls.append(1))
    lane.turn()
    timer.cancel()
    timer.cancel()
    assert calls == [1]
    closed(lane)


def test_without_timers_the_lane_sleeps_for_ever() -> None:
    lane = Lane(Clock())
    assert lane.turn() == float("inf")
    timer = lane.call_later(3, lambda: None)
    assert lane.turn() == 3
    timer.cancel()
    assert lane.turn() == float("inf")
    closed(lane)
