"""Whose turn it is among the requests that wait for a peer in all workers, and a bell that wakes those of another one.

Made before the workers are forked. Each has a row: the ticket of its first request that waits, and how many do. The
bell is an eventfd that nobody reads: each ring is an edge in every worker's epoll.
"""

from __future__ import annotations

import mmap
import os
import weakref
from typing import Final

from gateway.core.zones import Words

_ROWS: Final = 256  # workers that are alive at once; those beyond them wait without a place in the line
_TICKETS, _WAITING, _OVERFLOWS, _HEAD = range(4)
# words of a row; a first ticket of 0: nobody waits
_PID, _FIRST, _COUNT, _WORDS = range(4)


class SharedQueue:
    """The line of one upstream, as one worker sees it."""

    def __init__(self) -> None:
        size = _HEAD + _ROWS * _WORDS
        self._words = Words(mmap.mmap(-1, size * 8), 0, size)
        self._row = -1
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self.bell)

    def claim(self, pid: int) -> None:
        """A row for this worker."""
        for row in _EACH:
            if self._words.cas(row + _PID, 0, pid):
                self._row = row
                return

    def bury(self, pid: int) -> None:
        """A worker is dead, and nobody waits in it."""
        words = self._words
        for row in _EACH:
            if words.load(row + _PID) == pid:
                words.add(_WAITING, -words.fetch(row + _COUNT, 0))
                words.store(row + _FIRST, 0)
                words.store(row + _PID, 0)
                self.ring()

    @property
    def waiting(self) -> int:
        """How many wait in all workers."""
        return self._words.load(_WAITING)

    @property
    def overflows(self) -> int:
        return self._words.load(_OVERFLOWS)

    def overflowed(self) -> None:
        self._words.add(_OVERFLOWS, 1)

    def join(self) -> int:
        """One more waits in this worker: its ticket."""
        self._count(1)
        return self._words.add(_TICKETS, 1)

    def leave(self) -> None:
        self._count(-1)

    def _count(self, change: int) -> None:
        self._words.add(_WAITING, change)
        if self._row >= 0:
            self._words.add(self._row + _COUNT, change)

    def stand(self, ticket: int) -> None:
        """The first that waits here has this ticket, 0: nobody waits."""
        if self._row >= 0:
            self._words.store(self._row + _FIRST, ticket)

    def may_go(self, ticket: int) -> bool:
        """Whether nobody has waited longer than who has this ticket."""
        words = self._words
        return not any(0 < words.load(row + _FIRST) < ticket for row in _EACH)

    def ring(self) -> None:
        os.eventfd_write(self.bell, 1)


_EACH: Final = range(_HEAD, _HEAD + _ROWS * _WORDS, _WORDS)
