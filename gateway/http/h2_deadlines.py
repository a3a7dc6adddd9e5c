"""The deadlines of an HTTP/2 connection: for the next request, for the rest of a head, for the socket, for a stream.

Compiled with the types of h2_deadlines.pxd. All are times of the lane, in seconds; 0 is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.h2_stream import Http2Stream


class Deadlines:
    """What a connection waits for, and until when."""

    def __init__(self, idle: float) -> None:
        self.idle = idle  # no stream is open
        self.block = 0.0  # of a stream's head that is not all here
        self.stalled = 0.0  # the socket takes nothing
        self.timed: set[Http2Stream] = set()  # those with a deadline of their own

    def time_stream(self, stream: Http2Stream, deadline: float) -> None:
        stream.deadline = deadline
        if deadline:
            self.timed.add(stream)
        else:
            self.timed.discard(stream)

    def take_late(self, now: float) -> list[Http2Stream]:
        """The streams whose deadline has passed; they have none any more."""
        late = [stream for stream in self.timed if stream.deadline <= now]
        for stream in late:
            stream.deadline = 0.0
            self.timed.discard(stream)
        return late

    def first(self) -> float:
        """The next of them."""
        first = self.idle
        if self.block and (not first or self.block < first):
            first = self.block
        if self.stalled and (not first or self.stalled < first):
            first = self.stalled
        for stream in self.timed:
            if not first or stream.deadline < first:
                first = stream.deadline
        return first
