"""How long something takes, counted in buckets in a zone's words, with the last example of each bucket."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway._fast.zones import Words

# Upper ends in milliseconds; the last bucket has none. Those of Prometheus's own libraries.
BOUNDS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
_BUCKETS: Final = len(BOUNDS) + 1
# of an example: its id in two words, how long it took, and when it was
_EXAMPLE: Final = 4
SUM: Final = _BUCKETS  # behind the buckets, in milliseconds
_EXAMPLES: Final = SUM + 1
WORDS: Final = _EXAMPLES + _BUCKETS * _EXAMPLE


@dataclass(frozen=True, slots=True)
class Example:
    id: str
    seconds: float
    at: float  # since the epoch


@dataclass(frozen=True, slots=True)
class Shown:
    """Counts of each bucket alone (not of all below it), and the sum."""

    counts: list[int]
    sum_s: float
    examples: list[Example | None]


def bucket_of(ms: int) -> int:
    return bisect_left(BOUNDS, ms)


def observe(words: Words, base: int, seconds: float, id: bytes | None = None) -> None:
    """Count one that took so long; with an id of 32 hexadecimal digits it is its bucket's example from now on."""
    ms = max(0, round(seconds * 1000))
    bucket = bucket_of(ms)
    words.add(base + bucket, 1)
    words.add(base + SUM, ms)
    if id is not None and len(id) == 32:
        place = base + _EXAMPLES + bucket * _EXAMPLE
        # four stores and no lock: an example of two halves is found nowhere, and does no harm
        words.store(place, _signed(id[:16]))
        words.store(place + 1, _signed(id[16:]))
        words.store(place + 2, ms)
        words.store(place + 3, time.time_ns() // 1_000_000)


def _signed(digits: bytes) -> int:
    value = int(digits, 16)
    return value - (1 << 64) if value >> 63 else value


def show(sums: Sequence[int], rows: Sequence[Sequence[int]], base: int) -> Shown:
    """What was counted, from the sums of the buckets and of the times; and of all rows of words the last examples."""
    examples: list[Example | None] = [None] * _BUCKETS
    mask = (1 << 64) - 1
    for row in rows:
        words = list(row[base + _EXAMPLES : base + WORDS])
        if any(words[3::_EXAMPLE]):
            for bucket in range(_BUCKETS):
                high, low, ms, at = words[bucket * _EXAMPLE : bucket * _EXAMPLE + _EXAMPLE]
                before = examples[bucket]
                if at and (before is None or at > before.at * 1000):
                    examples[bucket] = Example(f"{high & mask:016x}{low & mask:016x}", ms / 1000, at / 1000)
    return Shown(list(sums[:_BUCKETS]), sums[SUM] / 1000, examples)


def forget(words: Words, base: int) -> None:
    """Show no examples of these words any longer."""
    for place in range(base + _EXAMPLES, base + WORDS):
        words.store(place, 0)
