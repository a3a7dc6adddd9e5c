"""The last records of something, in a file that all workers map: a ring of slots of one size.

A file and not a zone, so that another program (gateway explain --id) can read it, also when no server runs. The oldest
record makes way for the newest; a reader that meets one being written passes it by.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from typing import Final

from gateway._fast.ring_writer import RingWriter
from gateway.core.zones import Words

_MAGIC: Final = 0x474E_4952_5457_4734  # the file's first word: its form
_HEAD: Final = 64
# words of the head
_FORM, _SLOTS, _SIZE, _LAST = range(4)
# words before a slot's bytes: the record's number (0 while it is written), its length
_NUMBER, _LENGTH = range(2)
_BEFORE: Final = 16
# Of a slot, with its words: most records fit. A thousand slots are then as much as a core's second cache has room for,
# and a request does not touch a page that no other one has touched for long. What does not fit lies behind all slots.
_SLOT: Final = 512


class Ring:
    """Records are numbered from 1 on."""

    def __init__(self, file: int, memory: mmap.mmap, slots: int, size: int) -> None:
        self.slots = slots
        self.size = size
        self._file = file
        self._memory = memory
        self._near = min(size, _SLOT - _BEFORE)
        self._head = Words(memory, 0, _HEAD // 8)

    @classmethod
    def make(cls, path: str, slots: int, size: int) -> Ring:
        """Open the file for writing; one of another form or size is replaced by a new one. Errors: OSError."""
        size = -(-size // 8) * 8
        whole = _HEAD + slots * (size + _BEFORE)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(file).st_size not in (0, whole) or not _fits(file, slots, size):
            os.close(file)
            fresh = f"{path}.{os.getpid()}"
            file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            os.rename(fresh, path)
        _take_room(file, whole)
        ring = cls(file, mmap.mmap(file, whole), slots, size)
        ring._head.store(_SLOTS, slots)
        ring._head.store(_SIZE, size)
        ring._head.store(_FORM, _MAGIC)
        return ring

    @classmethod
    def read_from(cls, path: str) -> Ring:
        """Open the file to look into it. Errors: OSError; ValueError when it is none of ours."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            form, slots, size, _ = struct.unpack("=4q", os.pread(file, 32, 0))
            whole = _HEAD + slots * (size + _BEFORE)
            if form != _MAGIC or os.fstat(file).st_size != whole:
                raise ValueError(f"{path} has another form")
            return cls(file, mmap.mmap(file, whole, mmap.MAP_PRIVATE), slots, size)
        except struct.error:
            raise ValueError(f"{path} is empty") from None
        finally:
            os.close(file)

    @classmethod
    def shared(cls, slots: int, size: int) -> Ring:
        """One without a file, for this process and those that it forks."""
        return cls(-1, mmap.mmap(-1, _HEAD + slots * (size + _BEFORE)), slots, size)

    @property
    def last(self) -> int:
        """The number of the newest record; 0 when there is none."""
        return self._head.load(_LAST)

    def writer(self, mask: Callable[[bytes, bytes], bytes] | None = None) -> RingWriter:
        """For one process at a time; several processes may share what one of them has made before it forked."""
        return RingWriter(
            self._memory, _HEAD, self._head, _LAST, _BEFORE, self.slots, self._near, self.size, os.urandom(16), mask
        )  # fmt: skip

    def get(self, number: int) -> bytes | None:
        """The record of this number, if it is still there, whole."""
        slot = (number - 1) % self.slots
        stride = _BEFORE + self._near
        begin = _HEAD + slot * stride
        words = Words(self._memory, begin, 2)
        if words.load(_NUMBER) != number:
            return None
        length = min(words.load(_LENGTH), self.size)
        data = bytes(self._memory[begin + _BEFORE : begin + _BEFORE + min(length, self._near)])
        if length > self._near:
            begin = _HEAD + self.slots * stride + slot * (self.size - self._near)
            data += self._memory[begin : begin + length - self._near]
        return data if words.load(_NUMBER) == number else None

    def newest(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """The records behind this number, the newest first."""
        last = self.last
        for number in range(last, max(after, last - self.slots), -1):
            data = self.get(number)
            if data is not None:
                yield number, data

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)


def _take_room(file: int, whole: int) -> None:
    """Have the blocks now: where a disk is full, a page that is written to without one ends the process (SIGBUS).

    The descriptor is closed when that fails.
    """
    before = os.fstat(file).st_size
    try:
        os.posix_fallocate(file, 0, whole)
    except OSError as error:
        try:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                os.ftruncate(file, before)
                raise
            os.ftruncate(file, whole)  # a file system that cannot promise it
        except OSError:
            os.close(file)
            raise


def _fits(file: int, slots: int, size: int) -> bool:
    head = os.pread(file, 32, 0)
    return not head or struct.unpack("=4q", head)[:3] == (_MAGIC, slots, size)
