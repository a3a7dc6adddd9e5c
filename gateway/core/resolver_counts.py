"""What `status_zone=` of a resolver counts: words that all workers share, and that a reload goes on with."""

from __future__ import annotations

import functools
import mmap
from typing import Final

from gateway.core.zones import Words

_REQUESTS: Final = ("name", "srv", "addr")
# The codes of DNS from 0 on, and what is none.
_RESPONSES: Final = ("noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "timedout", "unknown")
_TIMED_OUT: Final = 6
_UNKNOWN: Final = 7


class ResolverCounts:
    """The counts of one name."""

    def __init__(self) -> None:
        self._words = Words(mmap.mmap(-1, mmap.PAGESIZE), 0, len(_REQUESTS) + len(_RESPONSES))

    def request(self, *, service: bool) -> None:
        """Somebody asks for a name, or for its services."""
        self._words.add(1 if service else 0, 1)

    def address(self) -> None:
        """Somebody asks for the names of an address."""
        self._words.add(2, 1)

    def response(self, code: int) -> None:
        """A server has answered."""
        self._words.add(len(_REQUESTS) + (code if code < _TIMED_OUT else _UNKNOWN), 1)

    def timed_out(self) -> None:
        self._words.add(len(_REQUESTS) + _TIMED_OUT, 1)

    def reset(self) -> None:
        for index in range(len(self._words)):
            self._words.store(index, 0)

    def shown(self) -> dict[str, dict[str, int]]:
        """As the API shows them."""
        values = [self._words.load(index) for index in range(len(self._words))]
        return {
            "requests": dict(zip(_REQUESTS, values, strict=False)),
            "responses": dict(zip(_RESPONSES, values[len(_REQUESTS) :], strict=True)),
        }


@functools.cache
def counts_of(name: str) -> ResolverCounts:
    """One set for the life of this process, made by the master before it forks."""
    return ResolverCounts()
