"""`*_cache_path`: a directory of files, and the index of what lies in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.core.logs import ALERT, CRIT
from gateway.core.zones import ZoneError
from gateway.upstream.cache import clock
from gateway.upstream.cache.index import FULL, Index
from gateway.upstream.cache.known import Known

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.core.shared_map import SharedMap
    from gateway.core.temp_files import TempPath
    from gateway.core.zones import Zone


@dataclass(eq=False, slots=True)
class FileCache:
    """Times are seconds, sizes bytes."""

    name: str
    path: TempPath
    log: Log
    inactive: int = 600
    max_size: int = (1 << 63) - 1
    min_free: int = 0
    use_temp_path: bool = True
    manager_files: int = 100
    manager_sleep: float = 0.05
    manager_threshold: float = 0.2
    loader_files: int = 100
    loader_sleep: float = 0.05
    loader_threshold: float = 0.2
    # made when the zone is mapped
    index: Index = field(default_factory=Index)
    block: int = 512  # in which the size of files is counted
    purges: SharedMap | None = None  # with `sync`: what the other nodes have to purge
    # of this process: answers that it may send again, and who waits for a record's lock
    known: Known = field(default_factory=Known)
    waiting: dict[int, list[Callable[[], Any]]] = field(default_factory=dict)

    def attach(self, zone: Zone, old: FileCache | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's. Errors: ZoneError."""
        if old is not None:
            ours, before = os.fsdecode(self.path.name), os.fsdecode(old.path.name)
            if ours != before:
                raise ZoneError(
                    f'cache "{self.name}" uses the "{ours}" cache path '
                    f'while previously it used the "{before}" cache path'
                )
            if self.path.levels != old.path.levels:
                raise ZoneError(f'cache "{self.name}" had previously different levels')
        with contextlib.suppress(OSError):
            self.block = os.statvfs(self.path.name).f_frsize
        self.index.attach(zone, None if old is None else old.index)
        zone.data = self

    def show(self) -> dict[str, int | bool]:
        """/http/caches/NAME of the API."""
        found: dict[str, int | bool] = {"size": self.index.size * self.block, "cold": self.index.cold}
        if self.max_size < (1 << 63) - 1:
            found["max_size"] = self.max_size
        return found

    def file_of(self, key: bytes) -> bytes:
        return self.path.hashed(key.hex().encode())

    def blocks(self, size: int) -> int:
        return -(-size // self.block)

    def take(self, key: bytes, least: int, record: int) -> tuple[int, int]:
        """Index.take; where the zone is full, the file that was used least recently goes first."""
        now = clock.now()
        found = self.index.take(key, now, self.inactive, least, record)
        if found[0] == FULL:
            self.remove_oldest()
            found = self.index.take(key, now, self.inactive, least, record)
            if found[0] == FULL:
                self.log.write(ALERT, b'could not allocate node in cache keys zone "%b"' % self.name.encode())
        return found

    def remove_oldest(self, *, due: bool = False) -> float:
        """Make room for one; the seconds to wait before another one is tried, 0 for none (…_forced_expire).

        `due`: only what is inactive for too long.
        """
        index = self.index
        record, key, passed = index.take_oldest(clock.now(), self.inactive, due)
        for held, count in passed:
            words = b"ignore long locked inactive cache entry %b, count:%d" % (held.hex().encode(), count)
            self.log.write(ALERT, words)
        if record == -1:
            return 1.0 if passed else 10.0
        if record >= 0:
            self.delete(self.file_of(key))
            index.removed(record)
        return 0.0

    @property
    def kind_and_name(self) -> bytes:
        return b'cache "%b"' % self.name.encode()

    def on_duty(self) -> bool:
        return self.index.on_duty()

    def off_duty(self) -> None:
        self.index.off_duty()

    def delete(self, path: bytes) -> None:
        try:
            os.unlink(path)
        except OSError as error:
            self.log.write(CRIT, b'unlink() "%b" failed' % path, errno=error.errno or 0)

    def wake(self, record: int) -> None:
        """A record's lock was given back: those of this worker who wait for it look again."""
        for wake in self.waiting.pop(record, ()):
            wake()
