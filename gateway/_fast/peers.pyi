"""A peer's words, and the round robin over them. What each word means: gateway.upstream.peers.peers."""

from collections.abc import Callable
from typing import Any, Final, Self, overload

WORDS: tuple[str, ...]
# How a peer is after a request: it still fails, it fails for max_fails times, it answers again.
LEFT_ALONE: Final[int]
HAS_LEFT: Final[int]
IS_BACK: Final[int]

def monotonic_ms() -> int: ...
def wall_ms() -> int: ...

class Word:
    """A descriptor for word `index` of a PeerState."""

    def __init__(self, index: int) -> None: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> int: ...
    def __set__(self, instance: object, value: int) -> None: ...

class PeerState:
    """len(WORDS) signed 64-bit numbers; `now` is in whole seconds, as nginx compares them."""

    # where it is, for compiled callers
    address: Any
    name: bytes
    sockaddr: bytes
    is_unix: bool
    def attach(self, memory: Any) -> None:
        """Use the words at the start of a writable buffer instead of its own; they stay as they are."""
    def reset(self) -> None:
        """All words 0."""
    def keep_part(self, memory: Any) -> None:
        """Count this process's part of conns and inflight in two words of a buffer as well (see worker_counts.py)."""
    @property
    def codes(self) -> list[int]:
        """Responses by status from 100 on; empty where they are not counted."""
    @codes.setter
    def codes(self, counts: list[int]) -> None: ...
    def count_codes(self, memory: memoryview) -> None:
        """Count responses by status, from 100 to 599, in these words."""
    def write_off(self, conns: int, inflight: int) -> None:
        """Take off what a process that died had under way."""
    def begin_inflight(self) -> None: ...
    def end_inflight(self) -> None: ...
    def usable(self, now: int, ignored: int = 0) -> bool:
        """Whether the peer may get a request: not down (but for the bits `ignored`), healthy, not failing, not full."""
    def usable_alone(self) -> bool:
        """The same of a peer without alternatives, whose failures do not matter."""
    def waits(self) -> bool:
        """slow_start: whether the peer lets this pick pass by."""
    def take(self, now: int, check: bool) -> None:
        """Count a pick; with `check` one request in fail_timeout is the check that can bring a failing peer back."""
    def give(self, failed: bool, single: bool, now: int) -> int:
        """End a pick: 0, or LEFT_ALONE, HAS_LEFT, IS_BACK."""
    def account(self, status: int, sent: int, received: int) -> None:
        """Count a response (status 0: none came) and bytes."""
    def left(self) -> None:
        """The peer is out of use from now on: downstart, if it was not already."""
    def came_back(self) -> None:
        """The peer is in use again: downtime grows, slow_start begins."""

def smooth(peers: list[Any], tried: int, now: int, wanted: int = -1, total_weight: int = 0) -> int:
    """The index of the peer whose turn it is, -1 for none; with `wanted` that one, whose weights pay for it."""

def least(peers: list[Any], tried: int, now: int, cost: Callable[[Any], int] | None = None) -> int:
    """The index of the peer with the least cost for its weight, -1 for none; round robin among equals.

    The cost is what `cost(peer)` gives, asked once of each peer that can be taken, else the peer's connections.
    """
