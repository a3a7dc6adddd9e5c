from __future__ import annotations

import mmap
from collections import Counter

import pytest

from gateway.upstream.address import inet_address, unix_address
from gateway.upstream.peers import WORDS, Choice, Group, Outcome, Peer, Server, ZonePeer
from tests.upstream.recorded import group, pick, replay, server


@pytest.mark.parametrize(
    "case",
    ["plain", "weights", "weights-even", "down", "failing", "failing-patient", "backup", "two-dead"],
)
def test_sequence_is_that_of_nginx(case: str) -> None:
    recorded, ours = replay(case, lambda peers, key, client: Choice(peers))
    assert ours == recorded


def rounds(peers: Group, count: int, now: int = 1000) -> str:
    picks = ""
    for _ in range(count):
        choice = Choice(peers)
        picks += (pick(choice, now) or b"-").decode()
        choice.free(Outcome.OK, now)
    return picks


def test_smooth() -> None:
    assert rounds(group("1 weight=5", "2", "3"), 14) == "11213111121311"


def test_share_is_the_weight() -> None:
    assert Counter(rounds(group("1 weight=3", "2 weight=2", "3"), 600)) == {"1": 300, "2": 200, "3": 100}


def test_each_peer_once_for_a_request() -> None:
    choice = Choice(group("1 weight=9", "2", "3"))
    assert choice.tries == 3
    picks = []
    for left in (2, 1, 0):
        picks.append(pick(choice))
        choice.free(Outcome.FAILED, 1000)
        assert choice.tries == left
    assert sorted(picks) == [b"1", b"2", b"3"]  # type: ignore[type-var]
    assert choice.get(1000) is None


def test_failing_peer_rests_for_fail_timeout() -> None:
    peers = group("1", "2")
    first = Choice(peers)
    assert pick(first) == b"1"
    assert first.free(Outcome.FAILED, 1000)  # "temporarily disabled"
    assert rounds(peers, 4, now=1010) == "2222"
    # One request checks whether it is back; until its end the others stay away.
    held = [Choice(peers) for _ in range(8)]
    picks = [pick(choice, 1011) for choice in held]
    assert picks.count(b"1") == 1
    held[picks.index(b"1")].free(Outcome.OK, 1011)
    assert rounds(peers, 4, now=1011).count("1") == 2


def test_max_fails() -> None:
    peers = group("1 max_fails=2", "2 weight=4")
    seen = []
    for _ in range(12):
        choice = Choice(peers)
        picked = pick(choice)
        seen.append(choice.free(Outcome.FAILED if picked == b"1" else Outcome.OK, 1000))
    assert seen.count(True) == 1
    assert peers.peers[0].fails == 2


def test_max_fails_off() -> None:
    peers = group("1 max_fails=0", "2 max_fails=0")
    for _ in range(10):
        choice = Choice(peers)
        assert choice.get(1000) is not None
        assert not choice.free(Outcome.FAILED, 1000)
    assert sorted(rounds(peers, 2)) == ["1", "2"]


def test_next_does_not_blame() -> None:
    peers = group("1", "2")
    choice = Choice(peers)
    choice.get(1000)
    choice.free(Outcome.NEXT, 1000)
    assert peers.peers[0].fails == 0 and choice.tries == 1


def test_single_peer_is_never_taken_out() -> None:
    peers = group("1")
    for _ in range(5):
        choice = Choice(peers)
        assert choice.tries == 1
        assert pick(choice) == b"1"
        choice.free(Outcome.FAILED, 1000)
        assert choice.tries == 0


def test_single_down() -> None:
    assert Choice(group("1 down")).get(1000) is None


def test_max_conns() -> None:
    peers = group("1 max_conns=1 weight=10", "2")
    choices = [Choice(peers) for _ in range(4)]
    assert [pick(choice) for choice in choices] == [b"1", b"2", b"2", b"2"]
    choices[0].free(Outcome.OK, 1000)
    assert pick(Choice(peers)) == b"1"
    single = group("1 max_conns=1")
    assert pick(Choice(single)) == b"1"
    assert pick(Choice(single)) is None


def test_backup_only_when_no_other_is_left() -> None:
    peers = group("1", "2 backup")
    assert not peers.single
    choice = Choice(peers)
    assert choice.tries == 2
    assert pick(choice) == b"1"
    choice.free(Outcome.FAILED, 1000)
    assert pick(choice) == b"2"
    choice.free(Outcome.OK, 1000)
    assert rounds(peers, 3, now=1005) == "222"
    assert rounds(peers, 1, now=1011) == "1"


def test_words_can_lie_in_shared_memory() -> None:
    memory = memoryview(mmap.mmap(-1, 4096)).cast("q")
    spec = server("1 weight=7")
    address = inet_address("127.0.0.1", 80)
    one = ZonePeer(address, spec, memory[: len(WORDS)])
    assert one.effective_weight == 7 and one.conns == 0
    one.conns += 3
    other = ZonePeer(address, spec, memory[: len(WORDS)], fresh=False)  # as another worker sees it
    assert other.conns == 3 and other.effective_weight == 7
    plain = group("1 weight=7", "2 weight=2")
    shared = Group(
        b"zone",
        [
            ZonePeer(peer.address, server(text), memory[n * 16 : n * 16 + len(WORDS)])
            for n, (peer, text) in enumerate(zip(plain.peers, ("1 weight=7", "2 weight=2"), strict=True))
        ],
    )
    assert rounds(shared, 18) == rounds(plain, 18)


def test_group_lock_is_taken_for_each_pick() -> None:
    class Lock:
        held = 0
        taken = 0

        def __enter__(self) -> None:
            Lock.held += 1
            Lock.taken += 1

        def __exit__(self, *args: object) -> None:
            Lock.held -= 1

    peers = group("1", "2")
    peers.lock = Lock()
    choice = Choice(peers)
    choice.get(1000)
    choice.free(Outcome.OK, 1000)
    assert (Lock.held, Lock.taken) == (0, 2)


def test_repr() -> None:
    assert repr(Peer(unix_address(b"/s"), Server(b"unix:/s"))) == "<Peer unix:/s>"
