from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._fast.peers import wall_ms
from gateway.core.shared_map import SharedMap
from gateway.core.zones import Zone


def shared(size: int = 65536, timeout_ms: int = 0, synced: bool = False) -> SharedMap:
    zone = Zone("z", size, "test")
    made = SharedMap("z", timeout_ms, synced)
    zone.user = made
    zone.map()
    return made


def test_set_get_remove() -> None:
    one = shared()
    assert one.get(b"a") is None
    one.set(b"a", b"1")
    one.set(b"b", bytes(range(256)) * 3)
    one.set(b"", b"")
    assert (one.get(b"a"), one.get(b"b"), one.get(b"")) == (b"1", bytes(range(256)) * 3, b"")
    one.set(b"a", b"longer" * 50)
    assert one.get(b"a") == b"longer" * 50
    assert one.remove(b"a") and not one.remove(b"a")
    assert one.get(b"a") is None
    assert [key for key, _, _ in one.items()] == [b"b", b""]
    one.clear()
    assert one.items() == []


def test_what_another_worker_set_is_seen() -> None:
    one = shared()
    other = SharedMap("z")
    other.attach(one.zone, one)
    assert one.get(b"a") is None
    other.set(b"a", b"1")
    assert one.get(b"a") == b"1"
    other.set(b"a", b"2")
    assert one.get(b"a") == b"2"


def test_an_entry_ends() -> None:
    one = shared(timeout_ms=60_000)
    one.set(b"a", b"1")
    assert wall_ms() < one.items()[0][2] <= wall_ms() + 60_000
    one.set(b"b", b"2", ends=wall_ms() - 1)
    assert one.get(b"b") is None and [key for key, _, _ in one.items()] == [b"a"]


def test_a_full_zone_drops_what_has_ended_and_then_refuses() -> None:
    one = shared(8192, 60_000)
    count = 0
    with pytest.raises(MemoryError):
        while True:
            one.set(b"%d" % count, b"x" * 100)
            count += 1
    assert len(one.items()) == count > 3
    assert one.get(b"0") == b"x" * 100, "nothing else is lost"
    one.set(b"1", b"x" * 100, ends=1)
    one.set(b"new", b"x" * 100)
    assert one.get(b"new") == b"x" * 100 and len(one.items()) == count


def test_what_did_not_arrive_of_a_zone_that_is_full_now() -> None:
    one = shared(4096, synced=True)
    one.set(b"gone", b"1")
    one.set(b"stays", b"2")
    one.take_changed()
    one.remove(b"gone")
    one.set(b"stays", b"3")
    changed = one.take_changed()
    with pytest.raises(MemoryError):
        for number in itertools.count():
            one.set(b"%d" % number, b"")
    one.give_back(changed)
    assert [change for change in one.take_changed() if change in changed] == [
        change for change in changed if change[1]
    ], "that one is gone has no room; the rest is told again"


def test_nothing_is_left_behind() -> None:
    one = shared(8192)
    free = one.zone.unused()
    for round_ in range(50):
        one.set(b"a", b"x" * (round_ * 7))
        one.set(b"b", b"y" * 300)
        one.clear()
    assert one.zone.unused() == free


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=80), st.none() | st.binary(max_size=200)), max_size=40))
def test_as_a_dict(changes: list[tuple[bytes, bytes | None]]) -> None:
    one, model = shared(1 << 18), dict[bytes, bytes]()
    for key, value in changes:
        if value is None:
            assert one.remove(key) == (model.pop(key, None) is not None)
        else:
            one.set(key, value)
            model[key] = value
    assert {key: value for key, value, _ in one.items()} == model
    assert all(one.get(key) == value for key, value in model.items())


def test_what_other_nodes_hear() -> None:
    one, other = shared(timeout_ms=60_000, synced=True), shared(timeout_ms=60_000, synced=True)
    one.set(b"a", b"1")
    one.set(b"b", b"2" * 100)
    changed = one.take_changed()
    assert len(changed) == 2 and one.take_changed() == []
    other.apply(changed)
    assert (other.get(b"a"), other.get(b"b")) == (b"1", b"2" * 100)
    assert other.take_changed() == [], "it is not told on"
    ends = [sorted(end for *_, end in each.items()) for each in (one, other)]
    assert all(abs(here - there) < 1000 for here, there in zip(*ends, strict=True))

    one.remove(b"a")
    gone = one.take_changed()
    assert [payload for _, payload, _ in gone] == [b""]
    one.give_back(gone)
    assert one.take_changed() == gone, "what did not arrive is told again"
    other.apply(gone)
    assert other.get(b"a") is None

    other.set(b"b", b"newer")
    other.apply(one.take_all())
    assert other.get(b"b") == b"newer", "what has changed here since stays"
    one.apply(other.take_changed())
    assert one.get(b"b") == b"newer"
