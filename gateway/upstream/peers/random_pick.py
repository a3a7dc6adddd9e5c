"""random and random two: a peer by chance, by weight; of two the one with fewer connections."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from random import randrange

from gateway.upstream.peers.hashing import MAX_TRIES
from gateway.upstream.peers.peers import Choice, Group


class RandomChoice(Choice):
    """Picks of the `random` directive; `draw(n)` gives a number below n."""

    __slots__ = ("draw", "misses", "two", "upper")

    def __init__(self, group: Group, *, two: bool = False, draw: Callable[[int], int] = randrange) -> None:
        super().__init__(group)
        self.two = two
        self.draw = draw
        self.misses = 0
        self.upper = list(accumulate(peer.weight for peer in self.peers))

    def _follow(self) -> None:
        super()._follow()
        self.upper = list(accumulate(peer.weight for peer in self.peers))

    def _best(self, now: int, wanted: int) -> int:
        peers = self.peers
        first = -1
        while len(peers) > 1 and self.misses <= MAX_TRIES:
            if wanted >= 0:
                return wanted
            index = bisect_right(self.upper, self.draw(self.group.total_weight))
            peer = peers[index]
            if index == first or self.tried >> index & 1 or not peer.usable(now):
                self.misses += 1
                continue
            if self.two:
                if first < 0:
                    first = index
                    continue
                other = peers[first]
                if peer.conns * other.weight > other.conns * peer.weight:
                    index = first
            return index
        return super()._best(now, wanted)
