"""limit_req: the buckets of a zone."""

from __future__ import annotations

from gateway.core.template import Template
from gateway.core.zones import Zones
from gateway.modules.http.limit_req_bucket import Bucket


def bucket(rate: int, size: int = 65536) -> Bucket:
    zones = Zones()
    made = Bucket("z", Template("$k", [b"k"]), rate)
    zones.add("z", size, "test").user = made
    zones.map()
    return made


def test_a_request_a_second() -> None:
    one = bucket(1000)
    seen = [one.look(b"a", 0, now, True)[:2] for now in (0, 1, 999, 1000, 1999, 2000)]
    # The first is free; each later one is full until a second has passed since the last that was let in.
    assert seen == [(True, 0), (False, 999), (False, 1), (True, 0), (False, 1), (True, 0)]
    assert one.look(b"b", 0, 2000, True) == (True, 0, -1)


def test_burst() -> None:
    one = bucket(1000)
    assert [one.look(b"a", 2000, 5, True)[:2] for _ in range(4)] == [
        (True, 0), (True, 1000), (True, 2000), (False, 3000),
    ]  # fmt: skip


def test_long_keys_are_told_apart() -> None:
    one = bucket(1000)
    assert one.look(b"x" * 500, 0, 0, True)[0]
    assert one.look(b"x" * 499 + b"y", 0, 0, True)[0]
    assert not one.look(b"x" * 500, 0, 0, True)[0]


def test_a_full_zone_forgets_the_oldest() -> None:
    one = bucket(1000, 8192)
    for number in range(5 * one.table.count):
        assert one.look(b"%d" % number, 0, number, True)[0]
    assert not one.look(b"%d" % number, 0, number, True)[0]
    assert len(one.table) <= one.table.count


def test_empty_buckets_go_after_a_minute() -> None:
    one = bucket(1000)
    for key in (b"a", b"b", b"c"):
        one.look(key, 0, 0, True)
    one.look(b"d", 0, 59_000, True)
    assert len(one.table) == 4
    one.look(b"e", 0, 60_000, True)
    assert len(one.table) == 3


def test_numbers_beyond_those_of_the_machine() -> None:
    """A rate that nobody reaches, after a time in which no number of 64 bits could count what has leaked."""
    one = bucket(10**14)
    assert [one.look(b"a", 0, now, True) for now in (0, 10**12, 10**12 + 1)] == [(True, 0, -1)] * 3


def test_what_was_let_in_and_is_not_after_all() -> None:
    zones = Zones()
    one = Bucket("z", Template("$k", [b"k"]), 1000, synced=True)
    zones.add("z", 65536, "test").user = one
    zones.map()
    for key in (b"a", b"x" * 50):
        assert [one.look(key, 1000, 0, True)[0] for _ in range(3)] == [True, True, False]
        one.take_back(key)
        assert one.look(key, 1000, 0, True)[0], "there is room again"
        name = one.withhold(key)
        assert name is not None
        assert len(name) <= 24
    assert [count for _, count in one.take_admitted()] == [1, 1], "of three, one was taken back, one is told at once"
    assert name is not None
    one.let_in(name)
    assert one.take_admitted()[0] == (name, 1)
    assert one.withhold(b"unheard of") is None
