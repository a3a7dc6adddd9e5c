"""One request's answer in a cache: found, waited for, or written; nginx's ngx_http_cache_t."""

from __future__ import annotations

import os
import struct
from hashlib import md5
from typing import TYPE_CHECKING, Final
from zlib import crc32

from gateway._fast.files import open_path
from gateway.core.files import FileError, OpenedFile
from gateway.upstream.cache import clock, file_head
from gateway.upstream.cache.file_head import FileHead
from gateway.upstream.cache.index import ABSENT, FULL, SCARCE
from gateway.upstream.cache.vary import variant

if TYPE_CHECKING:
    from gateway.core.temp_files import TempFile
    from gateway.http.request import Request
    from gateway.upstream.cache.file_cache import FileCache

# What `open` finds; a positive number is the status of an error that is remembered.
FRESH: Final = 0
MISSING: Final = -1
EXPIRED: Final = -2
UPDATING: Final = -3  # expired, and another request asks already
UNWANTED: Final = -4  # ask, but do not keep the answer
BUSY: Final = -5  # another request asks: wait for it
FAILED: Final = -6

# A file up to this size is read as a whole, with its head.
SMALL: Final = 16384
_FIRST_READ: Final = 4096  # where the index does not know how long the head is
_ABSENT_ERRORS: Final = frozenset({2, 20})  # ENOENT, ENOTDIR


class Entry:
    """Times are seconds since the epoch. `close` gives back what it holds, however the request ends."""

    def __init__(self, request: Request, cache: FileCache, text: bytes, min_uses: int) -> None:
        self.request = request
        self.cache = cache
        self.index = cache.index
        self.text = text
        self.crc = crc32(text)
        self.main = self.key = md5(text, usedforsecurity=False).digest()
        self.start = file_head.start_of(text)
        self.min_uses = min_uses
        self.record = -1
        self.path = b""
        # the file that was found
        self.file: OpenedFile | None = None
        self.data = b""  # its beginning, or all of it
        self.body = 0  # where its body begins
        # of the answer, found or new
        self.valid = 0
        self.updating = 0  # how long it may be served stale, while it is updated and on errors
        self.error = 0
        self.last_modified = -1
        self.date = 0
        self.etag = b""
        self.vary = b""
        self.variant = bytes(16)
        self.stale_updating = False
        self.stale_error = False
        self.remembered = 0  # the status of an error that is to be remembered
        # of the lock
        self.lock = False
        self.lock_age_ms = 0
        self.lock_timeout_s = 0.0
        self.lock_until = -1  # we are the one who asks
        self.wait_until = 0.0  # the lane's time
        self.secondary = False
        self.done = False

    # -- looking for it --------------------------------------------------------------------------------------------

    def open(self) -> int:
        """ngx_http_file_cache_open: look for the file, and read its head."""
        index = self.index
        found, self.record = self.cache.take(self.key, self.min_uses, self.record)
        if found > 0:
            return found
        if found == FULL:
            return FAILED
        if found == SCARCE:
            return UNWANTED
        if found == ABSENT:
            look = index.cold
            verdict = MISSING
            if self.min_uses > 1:
                if not look:
                    return UNWANTED
                verdict = UNWANTED
        else:
            look = index.exists(self.record)
            verdict = MISSING
        if not self.path:
            self.path = self.cache.file_of(self.key)
        if look:
            file = open_path(self.path)
            if file.__class__ is OpenedFile:
                self.file = file
                return self._read(file)
            if file not in _ABSENT_ERRORS:
                self.request.log("crit", b'open() "%b" failed' % self.path, OSError(file, ""))
                return FAILED
        return self._lock() if verdict == MISSING else verdict

    def _lock(self) -> int:
        if not self.lock:
            return MISSING
        until = self.index.lock(self.record, clock.now_ms(), self.lock_age_ms)
        if until:
            self.lock_until = until
            return MISSING
        return BUSY if self.lock_timeout_s else UNWANTED

    def _read(self, file: OpenedFile) -> int:
        request = self.request
        head = self._read_head(file)
        if head is None:
            self.file = None
            return MISSING
        if head.vary:
            self.variant = variant(request, self.main, head.vary)
            if self.variant != head.variant:
                return self._reopen()
        self.body = head.body
        self.valid = head.valid
        self.updating = head.updating
        self.error = head.error
        self.last_modified = head.last_modified
        self.date = head.date
        self.etag = head.etag
        self.vary = head.vary
        index = self.index
        if index.cold:
            index.found(self.record, file.uniq, head.body, self.cache.blocks(file.allocated))
        now = clock.now()
        if head.valid >= now:
            return FRESH
        self.stale_updating = head.valid + head.updating >= now
        self.stale_error = head.valid + head.error >= now
        until = index.renew(self.record)
        if until < 0:
            return UPDATING
        self.lock_until = until
        return EXPIRED

    def _read_head(self, file: OpenedFile) -> FileHead | None:
        """The file's head and the answer's; None, and a line in the log, for what is no file of this key."""
        start = self.start
        try:
            if file.size <= SMALL:
                data = file.content()
            else:
                data = os.pread(file.fd, self.index.body_start(self.record) or _FIRST_READ, 0)
            if len(data) < start:
                return self._refuse("crit", b"is too small")
            head = file_head.unpack(data)
            if head.version != file_head.VERSION:
                return self._refuse("info", b"version mismatch")
            if head.crc != self.crc or head.start != start or file_head.key_of(data, start) != self.text:
                return self._refuse("crit", b"has md5 collision")
            if not start <= head.body <= file.size:
                return self._refuse("crit", b"has too long header")
            if head.body > len(data):
                data = os.pread(file.fd, head.body, 0)
        except (OSError, struct.error) as error:
            errno = error.errno if isinstance(error, OSError) else None
            self.request.log("crit", b'pread() "%b" failed' % self.path, OSError(errno, "") if errno else None)
            return None
        self.data = data
        return head

    def _refuse(self, level: str, words: bytes) -> FileHead | None:
        self.request.log(level, b'cache file "%b" %b' % (self.path, words))
        return None

    def _reopen(self) -> int:
        """The file holds another variant: look for the one that this request asks for."""
        self.file = None
        if self.secondary:
            self._refuse("crit", b"has incorrect vary hash")
            return MISSING
        self._drop_record(-1)
        self.secondary = True
        self.key = self.variant
        self.path = b""
        return self.open()

    def _drop_record(self, locked_until: int) -> None:
        record, self.record = self.record, -1
        self.index.give_back(record, locked_until, 0, 0, forget=False)

    # -- a new answer ----------------------------------------------------------------------------------------------

    def create(self) -> bool:
        """A request that passed the cache by keeps its answer all the same; False where the zone is full."""
        found, self.record = self.cache.take(self.key, self.min_uses, self.record)
        self.path = self.cache.file_of(self.key)
        return found != FULL

    def expire(self) -> None:
        """The answer that was found is asked for anew: a new one says how long it is good."""
        self.valid = self.updating = self.error = 0

    def head(self) -> FileHead:
        return FileHead(
            file_head.VERSION,
            self.crc,
            self.start,
            self.body,
            self.valid,
            self.updating,
            self.error,
            self.last_modified,
            self.date,
            self.etag,
            self.vary,
            self.variant if self.vary else bytes(16),
        )

    def settle_variant(self) -> bool:
        """Choose the key of the new answer by its Vary (ngx_http_file_cache_update_variant); False: no memory."""
        if self.vary:
            self.variant = variant(self.request, self.main, self.vary)
        if not self.secondary or (self.vary and self.variant == self.key):
            return True
        # Not the variant whose key we came to: the answer goes to the main key.
        record = self.record
        self._drop_record(self.lock_until)
        self.cache.wake(record)
        self.lock_until = -1
        self.secondary = False
        self.key = self.main
        return self.create()

    def store(self, file: TempFile) -> None:
        """The new answer is whole: it takes its place. What fails is a line in the log."""
        if self.done:
            return
        self.done = True
        uniq = blocks = 0
        try:
            file.move(self.path, folders=0o700)
            info = os.fstat(file.fd)
            uniq, blocks = info.st_ino, self.cache.blocks(info.st_blocks * 512)
        except FileError as error:
            self.request.log("crit", str(error).encode("utf-8", "surrogateescape"))
        record, self.record = self.record, -1
        self.index.stored(record, uniq, self.body, blocks)
        self.cache.wake(record)

    def rewrite_head(self) -> None:
        """The answer that was found is still good: its file says so from now on (…_update_header)."""
        found = self.file
        assert found is not None
        path = self.path
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self.request.log("crit", b'open() "%b" failed' % path, error)
            return
        try:
            info = os.fstat(fd)
            if (info.st_ino, info.st_size) != (found.uniq, found.size):
                return  # another answer has taken its place
            before = file_head.unpack(os.pread(fd, file_head.SIZE, 0))
            same = before.version == file_head.VERSION and before.last_modified == self.last_modified
            if same and (before.crc, before.start, before.body) == (self.crc, self.start, self.body):
                os.pwrite(fd, file_head.pack(self.head()), 0)
        except (OSError, struct.error) as error:
            self.request.log("crit", b'pwrite() "%b" failed: %b' % (path, str(error).encode()))
        finally:
            os.close(fd)

    def close(self) -> None:
        """Give back what is held (ngx_http_file_cache_free)."""
        self.file = None
        self.request = None  # type: ignore[assignment]
        if self.done:
            return
        self.done = True
        record, self.record = self.record, -1
        if record < 0:
            return
        self.index.give_back(record, self.lock_until, self.remembered, self.valid, forget=self.min_uses == 1)
        if self.lock_until >= 0:
            self.cache.wake(record)
