"""Counts in a zone, a row of words for each worker, which nobody else writes: atomics would cost ten times as much.

Who reads adds the rows up. Over a reload, the rows of workers that have not ended yet are read on as long as they live,
also through further reloads; what all others have counted goes into a row of the zone's own, the base.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gateway._fast.zone_counts import nonzero, sums

if TYPE_CHECKING:
    from gateway._fast.zones import Words
    from gateway.core.zones import Zone


class WorkerRows:
    """What is counted under one name; in words from 0 on. The word behind a row's last one is its worker's pid."""

    def __init__(self, size: int, base: Words, rows: list[Words]) -> None:
        self.size = size
        self.base = base  # what those counted that have ended, less what was there at a reset
        self.rows = rows  # of each worker
        self.old: list[Words] = []  # of those that end

    def use(self, worker: int) -> Words:
        """The row that this process counts in from now on, where one that died has left off."""
        row = self.rows[worker % len(self.rows)]
        row.store(self.size, os.getpid())
        return row

    @property
    def everywhere(self) -> list[Words]:
        return [self.base, *self.rows, *self.old]

    def sums(self, first: int, end: int) -> list[int]:
        """Of these words."""
        return sums(self.everywhere, first, end)

    def nonzero(self, first: int, end: int) -> dict[int, int]:
        """Those of the sums that are not 0, by their place from `first` on."""
        return nonzero(self.everywhere, first, end)

    def under_way(self, word: int) -> int:
        """A word that goes up and down: in the workers of now alone."""
        return sums(self.rows, word, word + 1)[0]

    def clear(self, first: int, end: int) -> None:
        """Count these from 0 on. What is in a row is its worker's: it is taken off in the base."""
        for index, count in self.nonzero(first, end).items():
            self.base.add(first + index, -count)


def row_bytes(size: int) -> int:
    """What a row of so many words takes: no two share a line of a cache."""
    return -(-(size + 1) // 8) * 64


def cut_rows(zone: Zone, size: int, count: int) -> list[WorkerRows]:
    """So many of them; the rows of a worker stand together."""
    words = row_bytes(size) // 8
    bases, *rows = [[zone.words(words) for _ in range(count)] for _ in range(zone.workers + 1)]
    return [WorkerRows(size, bases[i], [of_worker[i] for of_worker in rows]) for i in range(count)]


def carry(pairs: Iterable[tuple[WorkerRows, WorkerRows]]) -> None:
    """Go on from what was counted before a reload: (of now, of then)."""
    lives = functools.cache(_lives)
    for now, before in pairs:
        size = now.size
        rows: Sequence[Words] = [*before.rows, *before.old]
        now.old = [row for row in rows if lives(row.load(size))]
        ended = [row for row in rows if not lives(row.load(size))]
        for index, count in nonzero([before.base, *ended], 0, size).items():
            now.base.store(index, count)


def _lives(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's by now
        pass
    return True
