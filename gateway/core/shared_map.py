"""Strings by strings in a zone's memory, for all workers: what `keyval_zone` keeps.

An entry is a record with the lengths, and records of 64 bytes for its key and value, one after the other. All of it is
under the zone's lock; each worker remembers what it looked up until a word says that something has changed.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Final

from gateway._fast.peers import wall_ms
from gateway.core.zones import Table, Zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.core.zones import Words

# An entry's first record: lengths, when it ends (wall ms, 0: never), whether the other nodes know it (`sync`). One with
# the length _GONE was removed, and stays until they know that.
_KEY_LENGTH, _VALUE_LENGTH, _ENDS, _TOLD = range(4)
_GONE: Final = -1
_WORDS: Final = 8
_PART: Final = Struct(f"{_WORDS}q")
# Of an entry on its way to other nodes: the key's length.
_PAYLOAD: Final = Struct("!H")
_LONGEST_MS: Final = 10 * 365 * 24 * 3600 * 1000
# Two bytes of a record's place in the entry (0: the first), then the key's digest.
_DIGEST: Final = 22
_KEY_SIZE: Final = 2 + _DIGEST
_FIRST: Final = b"\0\0"
LONGEST: Final = 65_535

_VERSION, _CHANGES, _ZONE_WORDS = range(3)
# Values looked up that a worker remembers.
_REMEMBERED: Final = 10_000


class SharedMap:
    """The entries of one zone."""

    def __init__(self, name: str, timeout_ms: int = 0, synced: bool = False) -> None:
        self.name = name
        self.synced = synced
        self.timeout_ms = timeout_ms  # how long an entry stays that does not say it itself; 0: for ever
        self.zone: Zone
        self._table: Table
        self._words: Words
        self._version = -1
        self._remembered: dict[bytes, tuple[bytes | None, int]] = {}

    def attach(self, zone: Zone, old: SharedMap | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        self.zone = zone
        if old is None:
            self._words = zone.words(_ZONE_WORDS)
            self._table = zone.table(_KEY_SIZE, _WORDS)
        else:
            self._words, self._table = old._words, old._table
        zone.data = self

    @property
    def version(self) -> int:
        """Another number after each change."""
        return self._words.load(_VERSION)

    def get(self, key: bytes) -> bytes | None:
        version = self._words.load(_VERSION)
        if version != self._version:
            self._remembered.clear()
            self._version = version
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            with self.zone.lock:
                record = self._find(_digest(key))
                found = (None, 0) if record < 0 else (self._read(record)[1], self._table.word(record, _ENDS))
            self._remembered[key] = found
        value, ends = found
        return None if ends and ends <= wall_ms() else value

    def items(self) -> list[tuple[bytes, bytes, int]]:
        """Keys, values, and when each ends (wall ms; 0: never), the one that was set last at the end."""
        now = wall_ms()
        with self.zone.lock:
            return [
                (*self._read(record), ends)
                for record in self._entries()
                if not (ends := self._table.word(record, _ENDS)) or ends > now
            ]

    def set(self, key: bytes, value: bytes, ends: int | None = None) -> None:
        """Put an entry in. `ends`: None for the zone's timeout. Errors: MemoryError when the zone is full."""
        if ends is None:
            ends = wall_ms() + self.timeout_ms if self.timeout_ms else 0
        with self.zone.lock:
            self._set(key, value, ends, told=False)

    def remove(self, key: bytes) -> bool:
        """Whether it was there."""
        with self.zone.lock:
            digest = _digest(key)
            record = self._find(digest)
            if record < 0:
                return False
            self._remove(record)
            if self.synced:
                record = self._table.insert(_FIRST + digest)
                self._table.set_word(record, _KEY_LENGTH, _GONE)
                self._words.add(_CHANGES, 1)
            return True

    def clear(self) -> None:
        for key, _, _ in self.items():
            self.remove(key)

    # -- `sync` (cluster/maps.py): a field is a key's digest -----------------------------------------------------------

    def take_changed(self) -> list[tuple[bytes, bytes, int]]:
        """What the other nodes have to hear of: fields, payloads (empty: gone), the ms that are left (0: no end)."""
        with self.zone.lock:
            return self._take(self._words.fetch(_CHANGES, 0), everything=False)

    def take_all(self) -> list[tuple[bytes, bytes, int]]:
        with self.zone.lock:
            return self._take(len(self._table), everything=True)

    def drop_told(self, changed: list[tuple[bytes, bytes, int]]) -> None:
        """They have arrived, and nobody asks for them here; one that was set again meanwhile stays."""
        with self.zone.lock:
            for digest, _, _ in changed:
                record = self._table.get(_FIRST + digest)
                if record >= 0 and self._table.word(record, _TOLD):
                    self._remove(record)

    def give_back(self, changed: list[tuple[bytes, bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""
        with self.zone.lock:
            for digest, payload, _ in reversed(changed):
                record = self._table.get(_FIRST + digest)
                if record < 0 and not payload:
                    with suppress(MemoryError):  # what was set meanwhile has taken the room
                        self._make_room(1)
                        record = self._table.insert(_FIRST + digest)
                        self._table.set_word(record, _KEY_LENGTH, _GONE)
                if record >= 0:
                    self._table.touch(record)
                    self._table.set_word(record, _TOLD, 0)
            self._words.add(_CHANGES, len(changed))

    def apply(self, entries: list[tuple[bytes, bytes, int]]) -> None:
        """What any node has set or removed; what has changed here since then stays. One that cannot be is left out."""
        now = wall_ms()
        with self.zone.lock:
            for digest, payload, left in entries:
                if len(digest) != _DIGEST:
                    continue
                record = self._table.get(_FIRST + digest)
                if record >= 0 and not self._table.word(record, _TOLD):
                    continue
                if not payload:
                    if record >= 0:
                        self._remove(record)
                    continue
                data = payload[_PAYLOAD.size :]
                length = int.from_bytes(payload[: _PAYLOAD.size], "big")
                if length <= len(data) <= LONGEST and _digest(data[:length]) == digest:
                    ends = now + min(left, _LONGEST_MS) if left else 0
                    with suppress(MemoryError):  # one that this node has no room for
                        self._set(data[:length], data[length:], ends, told=True)

    def _take(self, count: int, everything: bool) -> list[tuple[bytes, bytes, int]]:
        table = self._table
        now = wall_ms()
        found = []
        for record in table.newest(count):  # so many may have changed
            name = table.key(record)
            if name[:2] == _FIRST and (everything or not table.word(record, _TOLD)):
                table.set_word(record, _TOLD, 1)
                if table.word(record, _KEY_LENGTH) == _GONE:
                    found.append((name[2:], b"", 0))
                    table.remove(record)
                else:
                    key, value = self._read(record)
                    ends = table.word(record, _ENDS)
                    found.append((name[2:], _PAYLOAD.pack(len(key)) + key + value, max(ends - now, 1) if ends else 0))
        return found

    # -- with the lock ------------------------------------------------------------------------------------------------

    def _entries(self) -> Iterator[int]:
        for record in reversed(self._table.newest()):
            if self._table.key(record)[:2] == _FIRST and self._table.word(record, _KEY_LENGTH) != _GONE:
                yield record

    def _find(self, digest: bytes) -> int:
        """The first record of an entry that is there, or -1."""
        record = self._table.get(_FIRST + digest)
        return -1 if record >= 0 and self._table.word(record, _KEY_LENGTH) == _GONE else record

    def _read(self, record: int) -> tuple[bytes, bytes]:
        table = self._table
        digest = table.key(record)[2:]
        length = table.word(record, _KEY_LENGTH)
        whole = length + table.word(record, _VALUE_LENGTH)
        data = b""
        for number in range(1, -(-whole // _PART.size) + 1):
            part = table.get(number.to_bytes(2, "big") + digest)
            data += _PART.pack(*(table.word(part, word) for word in range(_WORDS)))
        return data[:length], data[length:whole]

    def _set(self, key: bytes, value: bytes, ends: int, told: bool) -> None:
        table = self._table
        digest = _digest(key)
        old = table.get(_FIRST + digest)
        if old >= 0:
            self._remove(old)
        data = key + value
        count = -(-len(data) // _PART.size)
        self._make_room(count + 1)
        for number in range(count):
            part = table.insert((number + 1).to_bytes(2, "big") + digest)
            piece = data[number * _PART.size : (number + 1) * _PART.size]
            for word, number_there in enumerate(_PART.unpack(piece.ljust(_PART.size, b"\0"))):
                table.set_word(part, word, number_there)
        record = table.insert(_FIRST + digest)
        for word, number_there in enumerate((len(key), len(value), ends, told)):
            table.set_word(record, word, number_there)
        self._words.add(_VERSION, 1)
        self._words.add(_CHANGES, count + 1)

    def _make_room(self, records: int) -> None:
        """Drop what has ended; MemoryError if that is not enough."""
        table = self._table
        if table.count - len(table) >= records:
            return
        now = wall_ms()
        for record in list(self._entries()):
            ends = table.word(record, _ENDS)
            if ends and ends <= now:
                self._remove(record)
        if table.count - len(table) < records:
            raise MemoryError

    def _remove(self, record: int) -> None:
        table = self._table
        digest = table.key(record)[2:]
        whole = max(table.word(record, _KEY_LENGTH), 0) + table.word(record, _VALUE_LENGTH)
        for number in range(1, -(-whole // _PART.size) + 1):
            table.remove(table.get(number.to_bytes(2, "big") + digest))
        table.remove(record)
        self._words.add(_VERSION, 1)


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=_DIGEST).digest()
