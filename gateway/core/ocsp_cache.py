"""What OCSP responders said of clients' certificates, in a zone that all workers share (`ssl_ocsp_cache`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.core.zones import Table, Zone

_KEY_SIZE: Final = 24  # a SHA-1
_STATUS, _VALID = range(2)


class OcspCache:
    def __init__(self) -> None:
        self.zone: Zone
        self.table: Table

    def attach(self, zone: Zone, old: OcspCache | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        self.zone = zone
        self.table = zone.table(_KEY_SIZE, 2) if old is None else old.table
        zone.data = self

    def find(self, key: bytes) -> int | None:
        """The status, as long as the answer is good."""
        table = self.table
        with self.zone.lock:
            record = table.get(key)
            if record < 0:
                return None
            if table.word(record, _VALID) < time.time():
                table.remove(record)
                return None
            return table.word(record, _STATUS)

    def add(self, key: bytes, status: int, valid: int) -> None:
        table = self.table
        with self.zone.lock:
            record = table.insert(key)
            if record < 0:
                table.remove(table.oldest())
                record = table.insert(key)
            table.set_word(record, _STATUS, status)
            table.set_word(record, _VALID, valid)
