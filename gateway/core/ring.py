"""The last records of something, in a file that all workers map: a ring of slots of one size.

A file and not a zone, so that another program (gateway explain --id) can read it, also when no server runs. The oldest
record makes way for the newest; a reader that meets one being written passes it by.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterator
from typing import Final

from gateway._fast.ring_writer import RingWriter
from gateway.core.zones import Words

_MAGIC: Final = 0x474E_4952_5457_4735  # the file's first word: its form
_HEAD: Final = 64
# words of the head; the last two: room for texts, and what is used of it
_FORM, _SLOTS, _SIZE, _LAST, _TEXTS, _USED = range(6)
_FORM_OF: Final = struct.Struct("=6q")
# words before a slot's bytes: the record's number (0 while it is written); its length, and in the upper half where the
# text stands that it begins with
_NUMBER, _LENGTH = range(2)
_BEFORE: Final = 16
_LENGTH_OF: Final = struct.Struct("=I")  # before a text
# Of a slot, with its words: most records fit. A thousand slots are then as much as a core's second cache has room for,
# and a request does not touch a page that no other one has touched for long. What does not fit lies behind all slots.
_SLOT: Final = 512


class Ring:
    """Records are numbered from 1 on. Before the slots is room for texts that many of them begin with."""

    def __init__(self, file: int, memory: mmap.mmap, slots: int, size: int, texts: int = 0) -> None:
        self.slots = slots
        self.size = size
        self._file = file
        self._memory = memory
        self._first = _HEAD + texts  # where the slots begin
        self._near = min(size, _SLOT - _BEFORE)
        self._head = Words(memory, 0, _HEAD // 8)

    @classmethod
    def make(cls, path: str, slots: int, size: int, texts: int = 0) -> Ring:
        """Open the file for writing; one of another form or size is replaced by a new one. Errors: OSError."""
        size = -(-size // 8) * 8
        texts = -(-texts // 64) * 64
        whole = _HEAD + texts + slots * (size + _BEFORE)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(file).st_size not in (0, whole) or not _fits(file, slots, size, texts):
            os.close(file)
            fresh = f"{path}.{os.getpid()}"
            file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            os.rename(fresh, path)
        _take_room(file, whole)
        ring = cls(file, mmap.mmap(file, whole), slots, size, texts)
        ring._head.store(_SLOTS, slots)
        ring._head.store(_SIZE, size)
        ring._head.store(_TEXTS, texts)
        ring._head.store(_FORM, _MAGIC)
        return ring

    @classmethod
    def read_from(cls, path: str) -> Ring:
        """Open the file to look into it. Errors: OSError; ValueError when it is none of ours."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ValueError(f"{path} is no regular file")
            form, slots, size, _, texts, _ = _FORM_OF.unpack(os.pread(file, _FORM_OF.size, 0))
            whole = _HEAD + texts + slots * (size + _BEFORE)
            if form != _MAGIC or os.fstat(file).st_size != whole:
                raise ValueError(f"{path} has another form")
            return cls(file, mmap.mmap(file, whole, mmap.MAP_PRIVATE), slots, size, texts)
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
            self._memory, self._first, self._head, _LAST, _BEFORE, self.slots, self._near, self.size, os.urandom(8),
            mask,
        )  # fmt: skip

    def keep(self, text: bytes) -> int:
        """Where this text stands, for records that begin with it: once for all of them, in all processes.

        0 where there is no room. None is ever taken away: an old record may begin with it.
        """
        begin, room = _HEAD, self._first - _HEAD
        entry = _LENGTH_OF.pack(len(text)) + text
        if len(entry) > room:
            return 0
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
        except OSError:
            return 0  # a file system without locks
        try:
            used = min(self._head.load(_USED), room)
            at = self._memory.find(entry, begin, begin + used)
            if at < 0:
                if len(entry) > room - used:
                    return 0
                at = begin + used
                self._memory[at : at + len(entry)] = entry
                self._head.store(_USED, used + len(entry))
            return at
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _text_at(self, at: int) -> bytes:
        if not _HEAD <= at <= self._first - _LENGTH_OF.size:
            return b""
        (length,) = _LENGTH_OF.unpack_from(self._memory, at)
        begin = at + _LENGTH_OF.size
        return self._memory[begin : min(begin + length, self._first)]

    def get(self, number: int) -> bytes | None:
        """The record of this number, if it is still there, whole."""
        slot = (number - 1) % self.slots
        stride = _BEFORE + self._near
        begin = self._first + slot * stride
        words = Words(self._memory, begin, 2)
        if words.load(_NUMBER) != number:
            return None
        front, length = divmod(words.load(_LENGTH), 1 << 32)
        length = min(length, self.size)
        data = bytes(self._memory[begin + _BEFORE : begin + _BEFORE + min(length, self._near)])
        if length > self._near:
            begin = self._first + self.slots * stride + slot * (self.size - self._near)
            data += self._memory[begin : begin + length - self._near]
        if front:
            data = self._text_at(front) + data
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


def _fits(file: int, slots: int, size: int, texts: int) -> bool:
    head = os.pread(file, _FORM_OF.size, 0)
    if not head:
        return True
    form, *sizes, _, room, _ = _FORM_OF.unpack(head)
    return [form, *sizes, room] == [_MAGIC, slots, size, texts]
