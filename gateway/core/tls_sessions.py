"""TLS sessions and the keys of their tickets in a zone: every worker's, and kept over a reload; keys from files."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Final

from gateway._fast.errors import TlsError
from gateway._fast.openssl import random_bytes

if TYPE_CHECKING:
    from gateway.core.zones import Table, Words, Zone

# A session takes one record, and one more for each further part: most have 150 to 230 bytes.
_PART_WORDS: Final = 30
_PART: Final = _PART_WORDS * 8
_WORDS: Final = struct.Struct(f"={_PART_WORDS}q")
_EXPIRES, _LENGTH, _DATA = 0, 1, 2  # the words of a record
_KEY_SIZE: Final = 40  # a session's id, of 32 bytes, and the number of the part

# Of a ticket's key: when it may be forgotten, its name, the MAC's key and the cipher's.
_TICKET_WORDS: Final = 11
_TICKET: Final = struct.Struct("=10q")
_TICKET_BYTES: Final = 8 * _TICKET_WORDS
_CHANGED: Final = 3 * _TICKET_WORDS  # how often the keys came from another node

Keys = tuple[bytes, bytes, bytes]  # name, AES, MAC


class SessionCache:
    """What a zone of `ssl_session_cache shared:…` holds."""

    def __init__(self) -> None:
        self.zone: Zone
        self.tickets: Words
        self.table: Table

    def attach(self, zone: Zone, old: SessionCache | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        self.zone = zone
        if old is None:
            self.tickets = zone.words(3 * _TICKET_WORDS + 1)
            self.table = zone.table(_KEY_SIZE, _DATA + _PART_WORDS)
        else:
            self.tickets, self.table = old.tickets, old.table
        zone.data = self

    # -- the tickets' keys as a whole, for other nodes (cluster/tickets.py) -------------------------------------------

    @property
    def tickets_changed(self) -> int:
        """Another number whenever the keys came from somewhere else."""
        return self.tickets.load(_CHANGED)

    def ticket_keys(self) -> bytes:
        """The three keys, without their times; zeros as long as nobody has asked for one."""
        with self.zone.lock:
            whole = self._dump()
        return b"".join(whole[number * _TICKET_BYTES + 8 : (number + 1) * _TICKET_BYTES] for number in range(3))

    def dump_tickets(self) -> bytes:
        with self.zone.lock:
            return self._dump()

    def load_tickets(self, data: bytes) -> None:
        """Errors: ValueError."""
        if len(data) != 3 * _TICKET_BYTES:
            raise ValueError("these are no keys of tickets")
        with self.zone.lock:
            view = self.tickets.view
            for index, word in enumerate(struct.unpack(f"={3 * _TICKET_WORDS}q", data)):
                view[index] = word
            view[_CHANGED] += 1

    def _dump(self) -> bytes:
        return struct.pack(f"={3 * _TICKET_WORDS}q", *self.tickets.view[: 3 * _TICKET_WORDS])

    def add(self, identity: bytes, data: bytes, timeout_s: int) -> None:
        """Keep a session; the oldest ones go when there is no room."""
        table = self.table
        expires = int(time.time()) + timeout_s
        with self.zone.lock:
            for number in range(-(-len(data) // _PART)):
                part = data[number * _PART : (number + 1) * _PART].ljust(_PART, b"\0")
                record = table.insert(identity + bytes([number]))
                while record < 0:
                    oldest = table.oldest()
                    if oldest < 0:
                        return
                    table.remove(oldest)
                    record = table.insert(identity + bytes([number]))
                table.set_word(record, _EXPIRES, expires)
                table.set_word(record, _LENGTH, len(data))
                for index, word in enumerate(_WORDS.unpack(part)):
                    table.set_word(record, _DATA + index, word)

    def find(self, identity: bytes) -> bytes | None:
        table = self.table
        parts = b""
        with self.zone.lock:
            while True:
                number = len(parts) // _PART
                record = table.get(identity + bytes([number]))
                if record < 0:
                    return None
                if table.word(record, _EXPIRES) <= time.time():
                    table.remove(record)
                    return None
                parts += _WORDS.pack(*(table.word(record, _DATA + index) for index in range(_PART_WORDS)))
                length = table.word(record, _LENGTH)
                if len(parts) >= length:
                    return parts[:length]

    def remove(self, identity: bytes) -> None:
        with self.zone.lock:
            for number in range(256):
                record = self.table.get(identity + bytes([number]))
                if record < 0:
                    return
                for index in range(_PART_WORDS):
                    self.table.set_word(record, _DATA + index, 0)  # secrets do not lie about
                self.table.remove(record)


class SharedTickets:
    """Keys that all workers take from the cache's zone, and change when sessions of the last one have ended.

    There are three: the present one, the one before it, and the next one, so that no worker meets a key that it cannot
    know. Each worker remembers the first two, and looks into the zone when their time is over.
    """

    def __init__(self, cache: SessionCache, timeout_s: int) -> None:
        self.cache = cache
        self.timeout_s = timeout_s
        self._known: list[tuple[int, Keys]] = []
        self._changed = 0

    def current(self) -> Keys:
        return self._rotate()[0][1]

    def find(self, name: bytes) -> tuple[bytes, bytes, bool] | None:
        """The keys of this name, and whether the client shall have a new ticket."""
        for number, (_, (own, aes, mac)) in enumerate(self._rotate()):
            if own == name:
                return aes, mac, number > 0
        return None

    def _rotate(self) -> list[tuple[int, Keys]]:
        now = int(time.time())
        expires = now + self.timeout_s
        known = self._known
        changed = self.cache.tickets_changed
        if known and known[0][0] >= expires and known[1][0] >= now and changed == self._changed:
            return known
        self._changed = changed
        with self.cache.zone.lock:
            if not self._load(0)[0]:
                key = random_bytes(80)
                self._store(0, expires, key)
                self._store(2, expires, key)
            if self._load(1)[0] < now:
                self._store(1, *self._load(0))
                self._store(0, *self._load(2))
                self._store(2, 0, random_bytes(80))
            if expires > self._load(0)[0]:
                self._store(0, expires, self._load(0)[1])
            self._known = [(until, _split(key)) for until, key in (self._load(0), self._load(1))]
        return self._known

    def _load(self, number: int) -> tuple[int, bytes]:
        view = self.cache.tickets.view
        base = number * _TICKET_WORDS
        return view[base], _TICKET.pack(*view[base + 1 : base + _TICKET_WORDS])

    def _store(self, number: int, expires: int, key: bytes) -> None:
        view = self.cache.tickets.view
        base = number * _TICKET_WORDS
        view[base] = expires
        for index, word in enumerate(_TICKET.unpack(key)):
            view[base + 1 + index] = word


class FileTickets:
    """`ssl_session_ticket_key`: the first file's key seals, all of them open."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = [_split(key) for key in keys]

    def current(self) -> Keys:
        return self._keys[0]

    def find(self, name: bytes) -> tuple[bytes, bytes, bool] | None:
        for number, (own, aes, mac) in enumerate(self._keys):
            if own == name:
                return aes, mac, number > 0
        return None


def _split(key: bytes) -> Keys:
    """48 bytes: name, AES and MAC with 16 each; 80: name, then MAC and AES with 32 each."""
    if len(key) == 48:
        return key[:16], key[16:32], key[32:]
    return key[:16], key[48:], key[16:48]


def read_ticket_key(path: str) -> bytes:
    """Errors: TlsError."""
    try:
        with open(path, "rb") as opened:
            data = opened.read(81)
    except OSError as error:
        call = "read()" if isinstance(error, IsADirectoryError) else "open()"
        raise TlsError(f'{call} "{path}" failed ({error.errno}: {error.strerror})') from None
    if len(data) not in (48, 80):
        raise TlsError(f'"{path}" must be 48 or 80 bytes')
    return data
