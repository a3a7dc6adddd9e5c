"""Words, locks and tables in memory that processes share."""

from collections.abc import Callable
from typing import Any, Self

LOCK_SIZE: int

class Words:
    """Signed 64-bit numbers at `offset` of a writable buffer; each operation is one atomic instruction."""

    def __init__(self, memory: Any, offset: int, count: int) -> None: ...
    def __len__(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def view(self) -> memoryview:
        """The words as a memoryview of format "q", for what a lock guards anyway."""
    def load(self, index: int) -> int: ...
    def store(self, index: int, value: int) -> None: ...
    def add(self, index: int, value: int) -> int:
        """Add, and give the sum."""
    def fetch(self, index: int, value: int) -> int:
        """Store, and give what was there."""
    def cas(self, index: int, old: int, new: int) -> bool:
        """Store `new` if `old` is there; False if it is not."""

class Lock:
    """A robust mutex between processes. After a holder's death the next one runs `check` before its own work."""

    check: Callable[[], object] | None
    def __init__(self, memory: Any, offset: int, fresh: bool, check: Callable[[], object] | None = None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def acquire(self) -> None:
        """What `with` does; compiled code calls the two in C."""
    def release(self) -> None: ...

class WorkerCounters:
    """One worker's slot of core.counters; each method is a few atomic additions."""

    def __init__(self, words: Words, base: int) -> None: ...
    def accepted(self) -> None:
        """A connection was accepted; it waits for its first request."""
    def dropped(self) -> None:
        """A connection was accepted and closed at once, for want of worker_connections."""
    def closed(self) -> None:
        """A waiting connection was closed."""
    def head_begins(self) -> None:
        """The first bytes of a head are there, but not all of it."""
    def head_ends(self) -> None:
        """The head is complete, or will never be."""
    def request_begins(self) -> None:
        """A head was read: its connection writes, as nginx calls it, until the request ends."""
    def request_ends(self) -> None:
        """The connection waits again."""

class Table:
    """Records by key, in the order of their use; whoever uses it holds the zone's lock.

    A record is an index, which stays until it is removed. A key longer than key_size is replaced by its 128-bit digest.
    `seed` not 0: the table is made anew.
    """

    def __init__(
        self, memory: Any, offset: int, key_size: int, record_words: int, count: int, seed: int
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def key_size(self) -> int: ...
    @property
    def record_words(self) -> int: ...
    @property
    def count(self) -> int: ...
    def get(self, key: bytes) -> int:
        """The record of this key, -1 if there is none; its place in the order stays."""
    def insert(self, key: bytes) -> int:
        """The record of this key, now the newest; made with words of 0 if there was none, -1 when the table is full."""
    def touch(self, index: int) -> None:
        """Make it the newest."""
    def remove(self, index: int) -> None: ...
    def oldest(self) -> int:
        """The least recently used record, -1 if there is none."""
    def newest(self, most: int = -1) -> list[int]:
        """The `most` records that were used last, or all of them, the most recently used first."""
    def key(self, index: int) -> bytes: ...
    def word(self, index: int, word: int) -> int: ...
    def set_word(self, index: int, word: int, value: int) -> None: ...
    def add_word(self, index: int, word: int, value: int) -> int: ...
    def clear(self) -> None: ...
    def repair(self) -> None:
        """Make the links good again after a writer died; a record that it left unfinished is dropped."""

def table_size(key_size: int, record_words: int, count: int) -> int:
    """Bytes that a table takes."""
