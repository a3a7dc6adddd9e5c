"""Circles of redirects: whose, how long, and how much of it is kept."""

from __future__ import annotations

from gateway.dev.diagnosis.redirect_trails import Trails


def _round(trails: Trails, client: str = "a", at: float = 0.0) -> list[bytes]:
    trails.circle(client, b"/a", b"/b", at)
    return trails.circle(client, b"/b", b"/a", at)


def test_twice_round_is_a_circle() -> None:
    trails = Trails()
    assert _round(trails) == []
    assert _round(trails) == [b"/b", b"/a"]
    assert trails.circle("a", b"/a", b"/b", 1.0) == [b"/a", b"/b"]


def test_time_passes_and_clients_are_told_apart() -> None:
    trails = Trails()
    assert _round(trails) == _round(trails, at=21.0) == _round(trails, "b", 21.0) == []
    assert _round(trails, at=30.0)


def test_a_way_out() -> None:
    trails = Trails()
    _round(trails)
    trails.circle("a", b"/a", b"/c", 0.0)
    assert trails.circle("a", b"/b", b"/a", 0.0) == []
    for _ in range(3):
        assert trails.circle("a", b"/x", b"/x", 0.0) == []  # to itself is not over several
        assert trails.circle("a", b"/y", b"/x", 0.0) == []  # leads to a circle, and is none of it


def test_what_is_kept_has_an_end() -> None:
    trails = Trails()
    for number in range(1000):
        _round(trails, str(number))
        trails.circle("999", b"/%d" % number, b"/", 0.0)
    assert len(trails._of) == 64 and max(map(len, trails._of.values())) == 16
