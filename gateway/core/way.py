"""One direction of bytes between two streams, for sessions that are passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway._fast.stream import Stream


# Until a source has shown that it has more, so little is asked for that no place of the whole room is made for it.
_LITTLE: Final = 8192


class Way:
    """One direction: what was read and is not yet written, at most a buffer's size.

    Compiled with the types of way.pxd.
    """

    def __init__(self, source: Stream, target: Stream, room: int, rate: int, began: float) -> None:
        self.source = source
        self.target = target
        self.room = room
        self.rate = rate  # bytes a second, 0 for no limit
        self.began = int(began)
        self.moved = 0
        self.delayed_until = 0.0  # nothing is read before that: the rate
        self.ended = False  # the source will send no more
        self.half_closed = False  # and the target was told so
        self.much = False  # the last read filled what there was room for: more of the kind is likely

    def move(self, now: float) -> OSError | None:
        """Pass on what is there and may pass; the error that the source met, if it ended so."""
        source, target = self.source, self.target
        if self.delayed_until and now >= self.delayed_until:
            self.delayed_until = 0.0
        while not self.ended and not self.delayed_until and source.readable and target.pending < self.room:
            size = self.room - target.pending
            if not self.much and size > _LITTLE:
                size = _LITTLE
            if self.rate:
                allowed = float(self.rate) * (int(now) - self.began + 1) - self.moved
                if allowed <= 0:
                    self.delayed_until = now - allowed / self.rate + 0.001
                    break
                if allowed < size:
                    size = int(allowed)
            try:
                data = source.recv(size)
            except OSError as error:
                self.ended = True
                return error
            if data is None:
                break
            if not data:
                self.ended = True
                break
            self.moved += len(data)
            self.much = len(data) == size
            target.send(data)
            if self.rate and len(data) * 1000 >= self.rate:
                self.delayed_until = now + len(data) / self.rate
        return None

    def drained(self) -> bool:
        return self.ended and not self.target.pending
