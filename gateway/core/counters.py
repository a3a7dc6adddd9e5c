"""What stub_status shows, counted over all workers.

Totals are words of their own. What goes up and down is counted in a slot for each worker, so that the connections of
one that was killed do not stay counted: its slot is emptied by the master, or by whoever next looks and finds it dead.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from gateway._fast.zones import WorkerCounters
from gateway.core.zones import Zone

_SLOTS = 1024  # workers of all cycles that are alive at once
# the layout that WorkerCounters knows
_ACCEPTED, _HANDLED, _REQUESTS, _TOTALS = range(4)
_PID, _ACTIVE, _READING, _WRITING, _WAITING, _FIELDS = range(6)


@dataclass(frozen=True, slots=True)
class Status:
    """The counters at one moment."""

    accepted: int
    handled: int
    requests: int
    active: int
    reading: int
    writing: int
    waiting: int


class Counters:
    """The shared words; made once by the first master, and handed on to later cycles."""

    def __init__(self, slots: int = _SLOTS, *, shared: bool = True) -> None:
        self._slots = slots
        self._zone = Zone("counters", 4096 + (_TOTALS + slots * _FIELDS) * 8, Counters, shared=shared)
        self._zone.map()
        self._words = self._zone.words(_TOTALS + slots * _FIELDS)
        self.respawns = self._zone.words(1)  # workers that died and were replaced

    def claim(self, pid: int | None = None) -> WorkerCounters:
        """A slot for this process."""
        pid = os.getpid() if pid is None else pid
        words = self._words
        for _ in range(2):
            for base in self._bases():
                if words.cas(base + _PID, 0, pid):
                    return WorkerCounters(words, base)
            self.bury_dead()
        # more workers than slots: count somewhere, rather than not start
        return WorkerCounters(words, _TOTALS)

    def release(self, pid: int) -> None:
        """Empty the slot of a process that is dead."""
        for base in self._bases():
            if self._words.load(base + _PID) == pid:
                self._empty(base)

    def bury_dead(self) -> None:
        """Empty the slots of all processes that are gone."""
        for base in self._bases():
            pid = self._words.load(base + _PID)
            if pid and not _alive(pid):
                self._empty(base)

    def read(self) -> Status:
        """The sums over all workers."""
        self.bury_dead()
        words = self._words
        active = reading = writing = waiting = 0
        for base in self._bases():
            if words.load(base + _PID):
                active += words.load(base + _ACTIVE)
                reading += words.load(base + _READING)
                writing += words.load(base + _WRITING)
                waiting += words.load(base + _WAITING)
        return Status(
            words.load(_ACCEPTED), words.load(_HANDLED), words.load(_REQUESTS), active, reading, writing, waiting
        )

    def _bases(self) -> range:
        return range(_TOTALS, _TOTALS + self._slots * _FIELDS, _FIELDS)

    def _empty(self, base: int) -> None:
        for field in (_ACTIVE, _READING, _WRITING, _WAITING, _PID):
            self._words.store(base + field, 0)


def _alive(pid: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
