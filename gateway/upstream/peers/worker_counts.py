"""What each worker has under way with the peers of a zone: counts that go up and down, by worker.

The zone's own words are the sums that balancers compare. A worker that is killed leaves its part in them; with a row of
its own here the master knows how much that was, and takes it off.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Final

# Workers that are alive at once; those beyond them are counted as nginx counts all.
_ROWS: Final = 256
# words of a slot: requests under way; those of least_time … inflight
_CONNS, _INFLIGHT, _WORDS = range(3)


class WorkerCounts:
    """A row for each worker. Whoever calls holds the zone's lock."""

    def __init__(self, slots: int) -> None:
        self._width = slots * _WORDS
        words = memoryview(mmap.mmap(-1, max(_ROWS * (1 + self._width), 1) * 8)).cast("q")
        self._pids = words[:_ROWS]
        self._rows = words[_ROWS:]

    def claim(self, pid: int) -> memoryview | None:
        """A row for this worker; None when there is none left."""
        for number in range(_ROWS):
            if not self._pids[number]:
                self._pids[number] = pid
                return self._row(number)
        return None

    def close(self, pid: int) -> Iterator[tuple[int, int, int]]:
        """What a worker that is dead had under way: slot, requests, those in flight. Its row is free then."""
        for number in range(_ROWS):
            if self._pids[number] == pid:
                row = self._row(number)
                for slot in range(self._width // _WORDS):
                    conns, inflight = self.of(row, slot)
                    if conns or inflight:
                        yield slot, conns, inflight
                row[:] = memoryview(bytes(len(row) * 8)).cast("q")
                self._pids[number] = 0

    def _row(self, number: int) -> memoryview:
        return self._rows[number * self._width : (number + 1) * self._width]

    @staticmethod
    def of(row: memoryview, slot: int) -> memoryview:
        """The words of one slot."""
        return row[slot * _WORDS : (slot + 1) * _WORDS]
