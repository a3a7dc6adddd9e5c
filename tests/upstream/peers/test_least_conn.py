from __future__ import annotations

from gateway.upstream.peers.least_conn import LeastConnChoice
from gateway.upstream.peers.peers import Outcome
from tests.upstream.recorded import group, pick, replay


def test_sequence_is_that_of_nginx() -> None:
    recorded, ours = replay("least_conn", lambda peers, key, client: LeastConnChoice(peers))
    assert ours == recorded


def test_fewest_connections_for_the_weight() -> None:
    peers = group("1 weight=2", "2")
    held = [LeastConnChoice(peers) for _ in range(6)]
    picks = [pick(choice) for choice in held]
    assert picks.count(b"1") == 4 and picks.count(b"2") == 2
    for choice, picked in zip(held, picks, strict=True):
        if picked == b"2":
            choice.free(Outcome.OK, 1000)
    assert pick(LeastConnChoice(peers)) == b"2"


def test_failed_peer_is_not_asked_again() -> None:
    peers = group("1", "2", "3 backup")
    choice = LeastConnChoice(peers)
    picks = []
    for _ in range(3):
        picks.append(pick(choice))
        choice.free(Outcome.FAILED, 1000)
    assert picks == [b"1", b"2", b"3"]
    assert choice.get(1000) is None
