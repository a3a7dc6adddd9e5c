"""What stub_status and the API show, counted by each worker in a slot of its own.

A slot is emptied by the master when its worker has died, or by whoever next looks and finds it dead: connections of
one that was killed do not stay counted, and what it had counted for good is added to the words at the start.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from gateway._fast.zones import WorkerCounters
from gateway.config.parts import Part
from gateway.core.zones import Zone

_SLOTS = 1024  # workers of all cycles that are alive at once
# A slot's words, of which WorkerCounters knows the first seven. Those of _GONE, a slot too, are of workers that ended.
_ACCEPTED, _HANDLED, _REQUESTS, _ACTIVE, _READING, _WRITING, _WAITING, _PID, _NUMBER, _CLAIM, _FIELDS = range(11)
_FOR_GOOD = (_ACCEPTED, _HANDLED, _REQUESTS)
_GONE = 0


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


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Those of one worker."""

    number: int
    pid: int
    status: Status


class Counters:
    """The shared words; made once by the first master, and handed on to later cycles."""

    def __init__(self, slots: int = _SLOTS, *, shared: bool = True) -> None:
        self._slots = slots + 1
        self._zone = Zone("counters", 4096 + self._slots * _FIELDS * 8, Counters, shared=shared)
        self._zone.map()
        self._words = self._zone.words(self._slots * _FIELDS)
        self.respawns = self._zone.words(1)  # workers that died and were replaced
        self._claims = self._zone.words(1)

    def claim(self, pid: int | None = None, number: int = 0) -> WorkerCounters:
        """A slot for this process, which is the worker of this number."""
        pid = os.getpid() if pid is None else pid
        words = self._words
        for _ in range(2):
            for base in self._bases():
                if words.cas(base + _PID, 0, pid):
                    words.store(base + _NUMBER, number)
                    words.store(base + _CLAIM, self._claims.add(0, 1))
                    return WorkerCounters(words, base)
            self.bury_dead()
        # more workers than slots: count somewhere, rather than not start
        return WorkerCounters(words, _FIELDS)

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
        words = list(self._words.view)
        return Status(*[sum(words[field::_FIELDS]) for field in range(_PID)])

    def workers(self) -> list[WorkerStatus]:
        """Each worker by its number; after a reload the one that came last."""
        self.bury_dead()
        words = list(self._words.view)
        found: dict[int, list[int]] = {}
        for base in self._bases():
            slot = words[base : base + _FIELDS]
            if slot[_PID] and (slot[_NUMBER] not in found or slot[_CLAIM] > found[slot[_NUMBER]][_CLAIM]):
                found[slot[_NUMBER]] = slot
        return [WorkerStatus(number, slot[_PID], Status(*slot[:_PID])) for number, slot in sorted(found.items())]

    def reset(self, *, connections: bool, number: int | None = None) -> None:
        """Count connections, or requests, from 0 on; those of one worker if it is named."""
        words = self._words
        for base in (_GONE, *self._bases()):
            if number is None or (base != _GONE and words.load(base + _PID) and words.load(base + _NUMBER) == number):
                for field in (_ACCEPTED, _HANDLED) if connections else (_REQUESTS,):
                    words.store(base + field, 0)

    def _bases(self) -> Sequence[int]:
        return range(_FIELDS, self._slots * _FIELDS, _FIELDS)

    def _empty(self, base: int) -> None:
        words = self._words
        for field in _FOR_GOOD:
            # Two may do this at once: only one of them gets the count.
            words.add(_GONE + field, words.fetch(base + field, 0))
        for field in (_ACTIVE, _READING, _WRITING, _WAITING, _PID):
            words.store(base + field, 0)


def _alive(pid: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


COUNTERS: Part[Counters] = Part("counters")
