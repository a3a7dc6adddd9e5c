"""Shared memory zones: mapped by the master before it forks, kept over a reload (nginx: ngx_cycle.c, ngx_slab.c)."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import Any, Final, Protocol, TypeVar

from gateway._fast.zones import LOCK_SIZE, Lock, Table, Words, table_size
from gateway.config.parts import Part

__all__ = ["LEAST_SIZE", "LOCK_SIZE", "ZONES", "Lock", "Table", "Words", "Zone", "ZoneError", "Zones"]

# What nginx takes where it says "is too small".
LEAST_SIZE: Final = 8 * mmap.PAGESIZE
# the allocator's start: the lock, in a cache line of its own
_FIRST = -(-LOCK_SIZE // 64) * 64


class ZoneError(ValueError):
    """A zone that cannot be; str() is nginx's message."""


class ZoneUser(Protocol):
    """What a zone is for: a cache's index, the peers of an upstream."""

    def attach(self, zone: Zone, old: Any) -> None:
        """The zone is mapped: with None cut its parts (words(), table()) from it.

        With the `data` that the old cycle's zone left, whose memory this zone took over, keep that, or raise ZoneError.
        """


User = TypeVar("User", bound=ZoneUser)


class Zone:
    """A named piece of memory, which its user cuts parts from when it is mapped."""

    def __init__(self, name: str, size: int, owner: object, *, shared: bool = True, reuse: bool = True) -> None:
        self.name = name
        self.size = size
        self.owner = owner  # who may use it: the same in both cycles for a zone that is kept
        self.shared = shared
        self.reuse = reuse
        self.data: Any = None
        self.user: ZoneUser | None = None
        self.each_worker = 0  # bytes besides, for each worker that there will be
        self.workers = 1
        self._memory: mmap.mmap | bytearray | None = None
        self._lock: Lock | None = None
        self._tables: list[Table] = []
        self._end = _FIRST

    def __repr__(self) -> str:
        return f"Zone({self.name!r}, {self.size})"

    @property
    def _whole(self) -> int:
        return self.size + self.each_worker * self.workers

    @property
    def mapped(self) -> bool:
        return self._memory is not None

    @property
    def lock(self) -> Lock:
        """The zone's one lock: `with zone.lock:` inside one plain function."""
        assert self._lock is not None, "the zone is not mapped"
        return self._lock

    @property
    def left(self) -> int:
        """Bytes that no part has taken."""
        return self.size - self._end

    def unused(self) -> int:
        """Bytes that hold nothing, also in its parts as far as they know."""
        free = self.left + int(getattr(self.data, "unused", 0))
        for table in self._tables:
            free += (table.count - len(table)) * table_size(table.key_size, table.record_words, 1)
        return free

    def map(self, old: Zone | None = None, workers: int = 1) -> None:
        """Get the memory: the old cycle's, or new one; OSError when there is none."""
        self.workers = workers
        if self.size == 0:
            raise ZoneError(f'zero size shared memory zone "{self.name}"')
        handed: Any = None
        if old is not None and self.owner == old.owner:
            if self.reuse and self.size == old.size:
                self._memory, self._lock, self._tables = old._memory, old._lock, old._tables
                self._end = old._end
                self.data = old.data
                if self.user is not None:
                    self.user.attach(self, old.data)
                return
            if not self.reuse:
                handed = old.data  # new memory, but its owner may carry something over
        if self.size < _FIRST:
            raise ZoneError(f'zone "{self.name}" is too small')
        whole = self._whole
        self._memory = mmap.mmap(-1, whole) if self.shared else bytearray(whole)
        self._lock = Lock(self._memory, 0, True, self._holder_died)
        if self.user is not None:
            self.user.attach(self, handed)

    def used_by(self, kind: type[User]) -> User | None:
        """Its user, which zones of this owner have of this kind; None as long as nobody has declared one."""
        assert self.user is None or isinstance(self.user, kind)
        return self.user

    def words(self, count: int) -> Words:
        """Cut an array of words from the memory."""
        return Words(self._memory, self._cut(count * 8), count)

    def table(self, key_size: int, record_words: int, count: int = 0) -> Table:
        """Cut a table; without a count as large as the memory that is left allows."""
        if count == 0:
            count = self._fitting(key_size, record_words)
        offset = self._cut(table_size(key_size, record_words, count))
        seed = int.from_bytes(os.urandom(8), "little") | 1
        table = Table(self._memory, offset, key_size, record_words, count, seed)
        self._tables.append(table)
        return table

    def _fitting(self, key_size: int, record_words: int) -> int:
        low, high = 0, self.left // 8
        while low < high:
            middle = (low + high + 1) // 2
            if table_size(key_size, record_words, middle) <= self.left:
                low = middle
            else:
                high = middle - 1
        if low == 0:
            raise ZoneError(f'zone "{self.name}" is too small')
        return low

    def _cut(self, size: int) -> int:
        assert self._memory is not None, "the zone is not mapped"
        offset = self._end
        if offset + size > self._whole:
            raise ZoneError(f'zone "{self.name}" is too small')
        self._end = offset + -(-size // 8) * 8
        return offset

    def _holder_died(self) -> None:
        for table in self._tables:
            table.repair()


class Zones:
    """The zones of one configuration."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._zones.values())

    def get(self, name: str) -> Zone | None:
        return self._zones.get(name)

    def add(self, name: str, size: int, owner: object, *, reuse: bool = True) -> Zone:
        """Declare a zone, or refer to one with size 0; ZoneError has nginx's message (ngx_shared_memory_add)."""
        zone = self._zones.get(name)
        if zone is None:
            zone = self._zones[name] = Zone(name, size, owner, reuse=reuse)
            return zone
        if zone.owner != owner:
            raise ZoneError(f'the shared memory zone "{name}" is already declared for a different use')
        if zone.size == 0:
            zone.size = size
        if size and size != zone.size:
            raise ZoneError(
                f'the size {size} of shared memory zone "{name}" conflicts with already declared size {zone.size}'
            )
        return zone

    def map(self, old: Zones | None = None, workers: int = 1) -> None:
        """Map all; those of the same name, size and owner go on with the old cycle's memory. ZoneError, OSError."""
        for zone in self:
            zone.map(None if old is None else old.get(zone.name), workers)


ZONES: Final = Part("zones", Zones)
