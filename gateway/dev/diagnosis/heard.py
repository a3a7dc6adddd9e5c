"""What the error log has been told of late, in memory that all workers share."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Final

from gateway.core.zones import Zone

_AGAIN_S: Final = 60.0
# What is remembered at once; the oldest is forgotten for a new one.
_MOST: Final = 1000
# a record's words
_SINCE, _COUNT, _WORDS = range(3)


class Heard:
    """Counts by key, each for a minute. Made before the workers are forked; a key is the same in all of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self._clock = clock
        zone = Zone("heard", 4096 + most * 128, Heard)
        zone.map()
        self._table = zone.table(16, _WORDS, most)
        self._lock = zone.lock

    def first_time(self, *key: Hashable) -> bool:
        """Whether nobody said this in the last minute; from now on somebody has."""
        return self.add(*key) == 1

    def count(self, *key: Hashable) -> int:
        """How often it was added in this minute."""
        table = self._table
        with self._lock:
            index = table.get(_text(key))
            return table.word(index, _COUNT) if index >= 0 and not self._over(index) else 0

    def add(self, *key: Hashable) -> int:
        """Count it once more; how often it is in the minute that began with the first time."""
        table = self._table
        text = _text(key)
        with self._lock:
            index = table.get(text)
            if index < 0 or self._over(index):
                if index < 0 and len(table) == table.count:
                    table.remove(table.oldest())
                index = table.insert(text)
                table.set_word(index, _SINCE, self._now())
                table.set_word(index, _COUNT, 0)
            return table.add_word(index, _COUNT, 1)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _over(self, index: int) -> bool:
        return self._now() - self._table.word(index, _SINCE) >= _AGAIN_S * 1000


def _text(key: tuple[Hashable, ...]) -> bytes:
    return repr(key).encode("utf-8", "surrogateescape")
