"""open_file_cache: open descriptors, directories and errors by path (nginx: ngx_open_file_cache.c).

Unlike nginx, an entry's idle time counts from the start of its last use, not from its end; a file in use stays open for
its users anyhow, since an OpenedFile lives as long as anyone holds it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from gateway.core.files import PLAIN, FileError, FileOptions, OpenedFile, open_file, stat_file
from gateway.core.symlinks import Symlinks


class _Entry:
    __slots__ = ("accessed", "created", "error", "failed", "file", "symlinks", "symlinks_from", "uses")

    def __init__(self) -> None:
        self.file: OpenedFile | None = None  # None with error 0: not used often enough to be kept open
        self.error = 0
        self.failed = ""
        self.uses = 0
        self.created = self.accessed = 0.0
        self.symlinks = Symlinks.OFF
        self.symlinks_from = 0


class OpenFileCache:
    """The cache of `open_file_cache max=N inactive=TIME`, one in each worker."""

    def __init__(self, maximum: int, inactive: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._maximum = maximum
        self._inactive = inactive
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
        """The file or directory, from the cache while it is valid; FileError, perhaps a remembered one."""
        entries = self._entries
        now = self._clock()
        entry = entries.get(path)
        if entry is None:
            return self._create(path, options, symlinks_from, now)
        entry.uses += 1
        if (
            now - entry.created < options.valid
            and entry.symlinks is options.symlinks
            and entry.symlinks_from == symlinks_from
        ):
            file = entry.file
            if file is not None:
                entry.accessed = now
                entries.move_to_end(path)
                self._expire(now)
                return file
            if entry.error:
                entry.accessed = now
                entries.move_to_end(path)
                raise FileError(entry.error, entry.failed, path)
        return self._renew(entry, path, options, symlinks_from, now)

    def test(self, path: bytes, options: FileOptions = PLAIN, symlinks_from: int = 0) -> OpenedFile:
        """With a cache, testing a file is opening it, as in nginx."""
        return self.open(path, options, symlinks_from)

    def clear(self) -> None:
        """Forget everything; what is in use closes with its last user."""
        self._entries.clear()

    def _create(self, path: bytes, options: FileOptions, symlinks_from: int, now: float) -> OpenedFile:
        try:
            file, error = open_file(path, options, symlinks_from), None
        except FileError as failure:
            if not options.errors:
                raise
            file, error = None, failure
        if len(self._entries) >= self._maximum:
            self._expire(now, forced=True)
        entry = self._entries[path] = _Entry()
        entry.uses = 1
        return self._remember(entry, path, options, symlinks_from, now, file, error)

    def _renew(self, entry: _Entry, path: bytes, options: FileOptions, symlinks_from: int, now: float) -> OpenedFile:
        old = entry.file
        error = None
        file: OpenedFile | None
        try:
            if old is None:
                file = open_file(path, options, symlinks_from)
            else:
                file = stat_file(path, options, symlinks_from)
                if old.same(file):
                    file = old
                elif not file.is_dir:
                    # another file, or this one grew: those who still send the old one keep its size
                    file = open_file(path, options, symlinks_from)
        except FileError as failure:
            if not options.errors:
                self._entries.pop(path, None)
                raise
            file, error = None, failure
        self._entries.move_to_end(path)
        return self._remember(entry, path, options, symlinks_from, now, file, error)

    def _remember(
        self,
        entry: _Entry,
        path: bytes,
        options: FileOptions,
        symlinks_from: int,
        now: float,
        file: OpenedFile | None,
        error: FileError | None,
    ) -> OpenedFile:
        entry.created = entry.accessed = now
        entry.symlinks = options.symlinks
        entry.symlinks_from = symlinks_from
        if file is None:
            assert error is not None
            entry.file, entry.error, entry.failed = None, error.errno, error.failed
            raise error
        entry.error = 0
        entry.file = file if file.is_dir or entry.uses >= options.min_uses else None
        self._expire(now)
        return file

    def _expire(self, now: float, forced: bool = False) -> None:
        """Drop one or two inactive entries, by force also the least recently used."""
        entries = self._entries
        for _ in range(3 if forced else 2):
            if not entries:
                return
            path = next(iter(entries))
            if not forced and now - entries[path].accessed <= self._inactive:
                return
            forced = False
            del entries[path]
