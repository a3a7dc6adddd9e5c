from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.upstream.exchange.attempt import Attempt
from gateway.upstream.peers.least_time import ANSWER, HEADER, InflightChoice, LeastTimeChoice
from gateway.upstream.peers.peers import Choice, Group, Outcome, moving_average
from tests.upstream.recorded import group, pick, replay

START: dict[str, Callable[[Group], Choice]] = {
    "least_time": lambda peers: LeastTimeChoice(peers, HEADER),
    "least_time-backup": lambda peers: LeastTimeChoice(peers, ANSWER),
    "least_time-inflight": lambda peers: InflightChoice(peers, HEADER),
    "sticky-least_time": lambda peers: LeastTimeChoice(peers, HEADER),
}


@pytest.mark.parametrize("case", START)
def test_picks_are_those_of_nginx(case: str) -> None:
    recorded, ours = replay(case, lambda peers, key, client: START[case](peers))
    assert ours == recorded


def answered(header_s: float, whole_s: float) -> Attempt:
    attempt = Attempt(b"", 100.0)
    attempt.head_read, attempt.ended = 100.0 + header_s, 100.0 + whole_s
    return attempt


def test_moving_average() -> None:
    assert [moving_average(0, 40), moving_average(100, 200), moving_average(100, 100)] == [40, 105, 100]


@pytest.mark.parametrize("header", [True, False])
def test_the_faster_peer_is_preferred(header: bool) -> None:
    peers = group("1", "2")
    for peer, time in zip(peers.peers, (0.05, 0.3), strict=True):
        peer.checked = 1000
        choice = LeastTimeChoice(peers, HEADER if header else ANSWER)
        choice.hint = peer.sid
        choice.get(1000)
        choice.free(Outcome.OK, 1000, answered(time, 0.35 - time))
    assert [(peer.header_time, peer.response_time) for peer in peers.peers] == [(50, 300), (300, 50)]
    picks = []
    for _ in range(4):
        choice = LeastTimeChoice(peers, HEADER if header else ANSWER)
        picks.append(pick(choice))
        choice.free(Outcome.OK, 1000)
    assert picks == [b"1" if header else b"2"] * 4


def test_connections_count() -> None:
    peers = group("1", "2")
    peers.peers[0].response_time, peers.peers[1].response_time = 10, 110
    peers.peers[0].checked = peers.peers[1].checked = 1000
    # 20 ms a request against 120
    assert [pick(LeastTimeChoice(peers, ANSWER)) for _ in range(7)] == [b"1"] * 5 + [b"1", b"2"]


def test_a_slow_peer_gets_another_chance() -> None:
    peers = group("1", "2")
    one, two = peers.peers
    one.response_time, two.response_time = 100, 1000
    one.checked, two.checked = 1000, 1000 - 4 * 11
    assert pick(LeastTimeChoice(peers, ANSWER)) == b"2"  # a sixteenth
    two.checked = 1000
    assert pick(LeastTimeChoice(peers, ANSWER)) == b"1"


def test_failures_do_not_count_as_fast() -> None:
    peers = group("1 max_fails=0", "2")
    choice = LeastTimeChoice(peers, HEADER)
    assert pick(choice) == b"1"
    choice.free(Outcome.FAILED, 1000, answered(0.001, 0.001))
    choice = LeastTimeChoice(peers, HEADER)
    choice.get(1000)
    choice.free(Outcome.OK, 1000, Attempt(b"", 0.0))  # no head
    assert [peer.header_time for peer in peers.peers] == [0, 0]


def test_inflight_requests_count_when_they_take_long() -> None:
    now = [5000]
    peers = group("1", "2")
    for peer in peers.peers:
        peer.header_time, peer.checked = 10, 1000

    def start() -> InflightChoice:
        return InflightChoice(peers, HEADER, clock=lambda: now[0])

    slow = start()
    assert pick(slow) == b"1"
    peers.peers[0].conns = 0  # only the time is to decide
    now[0] += 4000
    other = start()
    assert pick(other) == b"2" and peers.peers[0].inflight_time == 4000
    other.head_came(answered(0.01, 0.0))
    assert peers.peers[1].inflight == 0 and peers.peers[1].header_time == 10
    other.free(Outcome.OK, 1000, answered(0.01, 0.02))
    assert peers.peers[1].response_time == 20 and peers.peers[1].header_time == 10
    second = start()
    second.hint = peers.peers[0].sid
    assert pick(second) == b"1"
    assert (peers.peers[0].inflight, peers.peers[0].inflight_last) == (2, 4000)
    now[0] += 100
    slow.head_came(answered(4.1, 0.0))
    assert (peers.peers[0].inflight, peers.peers[0].inflight_last) == (1, 4000 + 200 - 4100)
    peers.peers[0].conns += 1
    slow.free(Outcome.OK, 1000, answered(4.1, 4.1))
    assert peers.peers[0].inflight == 1
    second.free(Outcome.FAILED, 1000, Attempt(b"", 0.0))
    assert (peers.peers[0].inflight, peers.peers[0].inflight_last) == (0, 0)
