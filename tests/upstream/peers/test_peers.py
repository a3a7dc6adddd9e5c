from __future__ import annotations

import hashlib
import mmap
from collections import Counter

import pytest

from gateway._fast.peers import HAS_LEFT, IS_BACK, LEFT_ALONE, WORDS, monotonic_ms
from gateway.upstream.peers.address import inet_address, unix_address
from gateway.upstream.peers.peers import (
    CHECKING,
    DRAINING,
    HEALTHY,
    UNHEALTHY,
    Choice,
    Group,
    Outcome,
    Peer,
    UpstreamServer,
)
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


def test_a_peer_whose_kept_connection_had_ended_is_asked_again() -> None:
    alone = Choice(group("1"))
    assert pick(alone) == b"1"
    assert not alone.free(Outcome.STALE, 1000)
    assert pick(alone) == b"1"
    alone.free(Outcome.FAILED, 1000)
    assert alone.tries == 0


def test_among_several_another_one_is_asked_when_a_kept_connection_had_ended() -> None:
    choice = Choice(group("1", "2"))
    assert pick(choice) == b"1"
    assert not choice.free(Outcome.STALE, 1000)
    assert pick(choice) == b"2"
    choice.free(Outcome.FAILED, 1000)
    assert choice.get(1000) is None


def test_failing_peer_rests_for_fail_timeout() -> None:
    peers = group("1", "2")
    first = Choice(peers)
    assert pick(first) == b"1"
    assert first.free(Outcome.FAILED, 1000) == HAS_LEFT  # "temporarily disabled"
    assert rounds(peers, 4, now=1010) == "2222"
    # One request checks whether it is back; until its end the others stay away.
    held = [Choice(peers) for _ in range(8)]
    picks = [pick(choice, 1011) for choice in held]
    assert picks.count(b"1") == 1
    assert held[picks.index(b"1")].free(Outcome.FAILED, 1011) == LEFT_ALONE
    later = [Choice(peers) for _ in range(8)]
    picks = [pick(choice, 1022) for choice in later]
    assert [later[picks.index(b"1")].free(Outcome.OK, 1022)] == [IS_BACK]
    assert rounds(peers, 4, now=1022).count("1") == 2


def test_max_fails() -> None:
    peers = group("1 max_fails=2", "2 weight=4")
    seen = []
    for _ in range(12):
        choice = Choice(peers)
        picked = pick(choice)
        seen.append(choice.free(Outcome.FAILED if picked == b"1" else Outcome.OK, 1000))
    assert [each for each in seen if each] == [HAS_LEFT]
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
    one = Peer(address, spec, memory[: len(WORDS)])
    assert one.effective_weight == 7 and one.conns == 0
    one.conns += 3
    other = Peer.at(memory[: len(WORDS)], address, b"a", b"", b"")  # as another worker sees it
    assert other.conns == 3 and other.effective_weight == 7
    plain = group("1 weight=7", "2 weight=2")
    shared = Group(
        b"zone",
        [
            Peer(peer.address, server(text), memory[n * 64 : n * 64 + len(WORDS)])
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

    def sync() -> None:
        assert Lock.held == 1

    peers = group("1", "2")
    peers.lock = Lock()
    peers.sync = sync
    choice = Choice(peers)
    choice.get(1000)
    choice.free(Outcome.OK, 1000)
    assert (Lock.held, Lock.taken) == (0, 3)


def test_a_choice_follows_peers_that_come_and_go() -> None:
    peers = group("1", "2", "3")
    choice = Choice(peers)
    assert pick(choice) == b"1"
    choice.free(Outcome.FAILED, 1000)
    peers.fill([*peers.peers[1:], peers.peers[0]], None)
    choice._follow()
    assert {pick(choice), pick(choice)} == {b"2", b"3"}
    assert pick(choice) is None


def test_sid_is_the_route_or_the_digest_of_the_address() -> None:
    spec = server("1")
    assert Peer(spec.addresses[0], spec).sid == hashlib.md5(b"127.0.0.1:80").hexdigest().encode()
    spec.route = b"a"
    assert Peer(spec.addresses[0], spec).sid == b"a"


def test_a_hint_is_followed_also_to_a_draining_peer() -> None:
    peers = group("1 weight=5", "2", "3")
    peers.peers[1].down = DRAINING
    choice = Choice(peers)
    choice.hint = peers.peers[1].sid
    assert pick(choice) == b"2"
    choice.free(Outcome.FAILED, 1000)
    assert pick(choice) == b"1"
    choice = Choice(peers)
    choice.hint = peers.peers[1].sid
    assert pick(choice) != b"2"  # it rests for fail_timeout


def test_unhealthy_peers_are_not_picked_and_count_their_downtime() -> None:
    peers = group("1", "2")
    peer = peers.peers[0]
    peer.slow_start = 10_000
    assert peer.set_health(UNHEALTHY) and not peer.set_health(UNHEALTHY)
    assert rounds(peers, 3) == "222" and peer.state(1000) == "unhealthy"
    assert peer.downstart and peer.unhealthy == 1
    peer.downstart -= 5000
    assert peer.set_health(HEALTHY)
    assert peer.downtime >= 5000 and not peer.downstart and peer.ramp_since
    assert group("1").peers[0].state(1000) == "up"
    single = group("1")
    single.peers[0].set_health(CHECKING)
    assert pick(Choice(single)) is None and single.peers[0].state(1000) == "checking"


def test_slow_start_gives_a_share_that_grows() -> None:
    peers = group("1", "2")
    peer = peers.peers[0]
    # half of a ramp so long that this test is a moment in it
    peer.slow_start = 2_000_000_000
    peer.ramp_since = monotonic_ms() - 1_000_000_000
    picks = rounds(peers, 400)
    assert 90 <= picks.count("1") <= 110  # half of its half
    peer.ramp_since = monotonic_ms() - 2_000_000_001
    assert rounds(peers, 400).count("1") == 200 and not peer.ramp_since
    for each in peers.peers:
        each.slow_start = 2_000_000_000
        each.ramp_since = monotonic_ms()
    assert "-" not in rounds(peers, 4)  # all ramp up: better than none


def test_slow_start_begins_when_a_failing_peer_is_back() -> None:
    peers = group("1", "2")
    peers.peers[0].slow_start = 5000
    choice = Choice(peers)
    assert pick(choice) == b"1"
    choice.free(Outcome.FAILED, 1000)
    assert peers.peers[0].state(1000) == "unavail" and peers.peers[0].unavail == 1
    assert not peers.peers[0].ramp_since
    rounds(peers, 3, now=1011)
    assert peers.peers[0].ramp_since and not peers.peers[0].downstart


def test_repr() -> None:
    assert repr(Peer(unix_address(b"/s"), UpstreamServer(b"unix:/s"))) == "<Peer unix:/s>"
