"""How fast a stream may send, second by second."""

from __future__ import annotations

from gateway.http.h2_pace import Pace


def test_the_first_second_is_free_and_what_goes_beyond_takes_its_time() -> None:
    pace = Pace(1000, 0, 100.0)
    assert pace.allowed(0, 100.0) == 1000
    pace.charge(0, 600, 100.0)
    assert pace.allowed(600, 100.1) == 0 and pace.until == 100.6
    assert pace.allowed(600, 100.7) == 400
    assert pace.allowed(600, 101.5) == 1400


def test_nothing_is_left() -> None:
    pace = Pace(1000, 0, 100.0)
    assert pace.allowed(2500, 101.0) == 0
    assert 101.5 < pace.until < 101.6


def test_a_part_is_free() -> None:
    pace = Pace(1000, 5000, 100.0)
    assert pace.allowed(0, 100.0) == 6000
    pace.charge(0, 5000, 100.0)
    assert pace.allowed(5000, 100.0) == 1000  # all of it was free
    pace.charge(5000, 5500, 100.0)
    assert pace.allowed(5500, 100.0) == 0 and pace.until == 100.5
