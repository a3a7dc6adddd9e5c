from __future__ import annotations

import os

import pytest

from gateway.upstream.peers.least_time import HEADER, InflightChoice
from gateway.upstream.peers.peers import Choice, Outcome
from gateway.upstream.peers.worker_counts import WorkerCounts
from tests.upstream.peers.test_zone import mapped, shared_of, upstream
from tests.upstream.recorded import server


def test_rows() -> None:
    counts = WorkerCounts(3)
    one, two = counts.claim(1), counts.claim(2)
    assert one is not None and two is not None
    WorkerCounts.of(one, 0)[0] = 4
    WorkerCounts.of(one, 2)[1] = 5
    WorkerCounts.of(two, 0)[0] = 6
    assert list(counts.close(3)) == []
    assert list(counts.close(1)) == [(0, 4, 0), (2, 0, 5)]
    assert list(counts.close(1)) == []
    again = counts.claim(7)
    assert again is not None and not any(again)
    assert list(counts.close(2)) == [(0, 6, 0)]


def test_more_workers_than_rows() -> None:
    counts = WorkerCounts(1)
    rows = [counts.claim(pid) for pid in range(1, 300)]
    assert rows[0] is not None and rows[-1] is None


@pytest.mark.parametrize("known_before", [True, False])
def test_what_a_dead_worker_had_under_way(known_before: bool) -> None:
    made = upstream(b"u", server("1"), server("2"))
    zone = mapped(made)
    shared = shared_of(made)
    earlier = InflightChoice(made.group, HEADER)  # as if of another worker: not in this one's row
    assert earlier.get(1000) is made.group.peers[0]
    if known_before:
        zone.begin_worker()
    else:
        shared._known.clear()
        shared._version = -1
        zone.begin_worker()
    choices = [InflightChoice(made.group, HEADER) for _ in range(3)]
    assert all(choice.get(1000) for choice in choices)
    choices[0].free(Outcome.OK, 1000)
    assert sum(peer.conns for peer in made.group.peers) == sum(peer.inflight for peer in made.group.peers) == 3
    zone.bury(os.getpid() + 1)
    assert sum(peer.conns for peer in made.group.peers) == 3
    zone.bury(os.getpid())
    first, second = made.group.peers
    assert (first.conns, first.inflight, second.conns, second.inflight) == (1, 1, 0, 0)
    earlier.free(Outcome.OK, 1000)
    assert (first.conns, first.inflight) == (0, 0)


def test_a_removed_peer_is_free_when_its_last_worker_is_dead() -> None:
    made = upstream(b"u", server("1"), server("2"))
    zone = mapped(made)
    shared = shared_of(made)
    zone.begin_worker()
    choice = Choice(made.group)
    peer = choice.get(1000)
    assert peer is not None
    shared.remove(peer.id)
    assert shared.zombies == 1
    zone.bury(os.getpid())
    assert shared.zombies == 0
