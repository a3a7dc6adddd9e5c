"""random and random two: a peer by chance, by weight; of two the one with fewer connections."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from random import randrange

from gateway.upstream.hashing import MAX_TRIES
from gateway.upstream.peers import Choice, Group, Peer


class RandomChoice(Choice):
    """Picks of the `random` directive; `draw(n)` gives a number below n."""

    __slots__ = ("draw", "misses", "two", "upper")

    def __init__(self, group: Group, *, two: bool = False, draw: Callable[[int], int] = randrange) -> None:
        super().__init__(group)
        self.two = two
        self.draw = draw
        self.misses = 0
        self.upper = list(accumulate(peer.weight for peer in group.peers))

    def _pick(self, now: int) -> Peer | None:
        group = self.group
        if len(group.peers) < 2:
            return super()._pick(now)
        first: int | None = None
        while self.misses <= MAX_TRIES:
            index = bisect_right(self.upper, self.draw(group.total_weight))
            peer = group.peers[index]
            if index == first or self.tried >> index & 1 or not peer.usable(now):
                self.misses += 1
                continue
            if self.two:
                if first is None:
                    first = index
                    continue
                other = group.peers[first]
                if peer.conns * other.weight > other.conns * peer.weight:
                    peer, index = other, first
            self._taken(peer, 1 << index, now)
            self.current = peer
            peer.conns += 1
            return peer
        return super()._pick(now)
