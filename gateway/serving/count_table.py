"""What a block counts by name for the API (`status_zone`), in one zone: a row of words for each worker.

All workers are counted together, and a reload goes on from what was counted before (core/worker_rows).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from gateway.core.worker_rows import WorkerRows, carry, cut_rows, row_bytes
from gateway.core.zones import LOCK_SIZE, ZONES

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.zones import Zone
    from gateway.serving.worker import Worker


class Counted(Protocol):
    """What is counted under one name."""

    @property
    def rows(self) -> WorkerRows: ...

    def attach(self, rows: WorkerRows) -> None:
        """These are its rows, once the zone has its memory."""

    def use(self, worker: int) -> None:
        """Count in this worker's row from now on; nothing is under way in it yet."""


Key = TypeVar("Key", bound=Hashable)
Counts = TypeVar("Counts", bound=Counted)


class CountTable(Generic[Key, Counts]):
    """All counts of one configuration, each of so many words: the user of their zone."""

    def __init__(self, words: int) -> None:
        self.words = words
        self.counts: dict[Key, Counts] = {}

    def add_zone(self, name: str, owner: str, scope: Scope, loader: Loader) -> None:
        """Once all names are known."""
        self.declare(loader.parts.get(ZONES).add(name, self.size, owner, reuse=False))
        scope.owner.on_worker_start.append(self.begin_worker)

    def declare(self, zone: Zone) -> None:
        zone.user = self
        zone.each_worker = len(self.counts) * row_bytes(self.words)

    @property
    def size(self) -> int:
        """Of what is no worker's."""
        return (LOCK_SIZE + 128 + len(self.counts) * row_bytes(self.words) + 4095) // 4096 * 4096

    def attach(self, zone: Zone, old: CountTable[Key, Counts] | None) -> None:
        """The zone has its memory: go on from what the old cycle had counted."""
        zone.data = self
        for counts, rows in zip(self.counts.values(), cut_rows(zone, self.words, len(self.counts)), strict=True):
            counts.attach(rows)
        before = {} if old is None else old.counts
        carry((counts.rows, before[key].rows) for key, counts in self.counts.items() if key in before)

    def begin_worker(self, worker: Worker) -> None:
        for counts in self.counts.values():
            counts.use(worker.number)
