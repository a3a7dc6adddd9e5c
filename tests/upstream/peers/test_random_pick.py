from __future__ import annotations

import random
from collections import Counter

from gateway.upstream.peers.peers import Outcome
from gateway.upstream.peers.random_pick import RandomChoice
from tests.upstream.recorded import group, pick


def test_share_is_the_weight() -> None:
    peers = group("1 weight=3", "2", "3")
    dice = random.Random(7)
    counts: Counter[bytes | None] = Counter()
    for _ in range(5000):
        choice = RandomChoice(peers, draw=dice.randrange)
        counts[pick(choice)] += 1
        choice.free(Outcome.OK, 1000)
    assert abs(counts[b"1"] - 3000) < 150 and abs(counts[b"2"] - 1000) < 150


def test_two_takes_the_less_busy() -> None:
    peers = group("1", "2", "3")
    dice = random.Random(7)
    peers.peers[0].conns = 100
    assert {pick(RandomChoice(peers, two=True, draw=dice.randrange)) for _ in range(60)} == {b"2", b"3"}


def test_every_peer_is_reached_in_the_end() -> None:
    peers = group("1", "2", "3")
    for two in (False, True):
        choice = RandomChoice(peers, two=two)
        picks = set()
        for _ in range(3):
            picks.add(pick(choice))
            choice.free(Outcome.NEXT, 1000)
        assert picks == {b"1", b"2", b"3"}
        assert choice.get(1000) is None


def test_one_peer() -> None:
    assert pick(RandomChoice(group("1"))) == b"1"
