"""What an HTTP/2 connection waits for, and which of it comes first."""

from __future__ import annotations

from gateway.http.h2_deadlines import Deadlines
from gateway.http.h2_stream import Http2Stream


def stream() -> Http2Stream:
    made = Http2Stream.__new__(Http2Stream)
    made.deadline = 0.0
    return made


def test_the_first_of_them_is_the_connections() -> None:
    deadlines = Deadlines(60.0)
    assert deadlines.first() == 60.0
    deadlines.stalled = 30.0
    deadlines.block = 40.0
    assert deadlines.first() == 30.0
    one = stream()
    deadlines.time_stream(one, 20.0)
    assert deadlines.first() == 20.0
    deadlines.time_stream(one, 0.0)
    deadlines.stalled = 0.0
    assert deadlines.first() == 40.0


def test_there_may_be_none() -> None:
    deadlines = Deadlines(0.0)
    assert deadlines.first() == 0.0
    deadlines.time_stream(stream(), 5.0)
    assert deadlines.first() == 5.0


def test_streams_that_are_late_have_none_any_more() -> None:
    deadlines = Deadlines(0.0)
    early, late = stream(), stream()
    deadlines.time_stream(early, 3.0)
    deadlines.time_stream(late, 9.0)
    assert deadlines.take_late(3.0) == [early]
    assert early.deadline == 0.0
    assert deadlines.timed == {late}
    assert deadlines.take_late(8.0) == []
