from __future__ import annotations

import pytest

from gateway.core.zones import Zone
from gateway.upstream.cache.index import ABSENT, FULL, PRESENT, SCARCE, Index

A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def index() -> Index:
    return made(1 << 16)


def made(size: int) -> Index:
    found = Index()
    zone = Zone("one", size, "test", shared=False)
    zone.user = found
    zone.map()
    return found


def store(index: Index, key: bytes, blocks: int = 2) -> int:
    _, record = index.take(key, 0, 100, 1, -1)
    index.stored(record, 7, 300, blocks)
    return record


def test_from_absent_to_present(index: Index) -> None:
    found, record = index.take(A, 0, 100, 1, -1)
    assert found == ABSENT
    assert index.take(A, 0, 100, 1, record) == (PRESENT, record)  # one use, as wanted, and no file yet
    assert not index.exists(record)
    index.stored(record, 7, 300, 2)
    assert index.exists(record) and index.body_start(record) == 300 and index.size == 2
    assert index.take(A, 0, 100, 9, -1) == (PRESENT, record)


def test_uses_are_counted_once_a_request(index: Index) -> None:
    _, record = index.take(A, 0, 100, 3, -1)
    assert index.take(A, 0, 100, 3, record)[0] == SCARCE
    index.give_back(record, -1, 0, 0, forget=False)
    assert index.take(A, 0, 100, 3, -1)[0] == SCARCE
    assert index.take(A, 0, 100, 3, -1)[0] == PRESENT


def test_what_has_no_file_is_forgotten(index: Index) -> None:
    _, record = index.take(A, 0, 100, 1, -1)
    index.take(A, 0, 100, 1, -1)
    index.give_back(record, -1, 0, 0, forget=True)
    assert len(index.table) == 1
    index.give_back(record, -1, 0, 0, forget=True)
    assert len(index.table) == 0
    record = store(index, A)
    index.take(A, 0, 100, 1, -1)
    index.give_back(record, -1, 0, 0, forget=True)
    assert len(index.table) == 1


def test_errors_are_remembered_for_a_time(index: Index) -> None:
    _, record = index.take(A, 0, 100, 1, -1)
    index.give_back(record, -1, 502, 10, forget=True)
    assert index.take(A, 10, 100, 1, -1) == (502, record)
    assert index.take(A, 11, 100, 1, -1) == (ABSENT, record)


def test_the_lock(index: Index) -> None:
    _, record = index.take(A, 0, 100, 1, -1)
    until = index.lock(record, 1000, 500)
    assert until == 1500 and index.lock(record, 1499, 500) == 0
    assert index.locked_for(record, 1400) == 100
    other = index.lock(record, 1500, 500)  # the first was too slow
    index.give_back(record, until, 0, 0, forget=False)
    assert index.locked_for(record, 1600) == 400  # its end does not end the second's
    index.give_back(record, other, 0, 0, forget=False)
    assert index.locked_for(record, 1600) == 0


def test_one_renews(index: Index) -> None:
    record = store(index, A)
    assert index.renew(record) == 0
    assert index.renew(record) == -1
    index.take(A, 0, 100, 1, -1)
    index.stored(record, 8, 300, 5)
    assert index.renew(record) == 0 and index.size == 5


def test_the_least_recently_used_goes(index: Index) -> None:
    first, second = store(index, A), store(index, B)
    assert index.until_expiry(40) == 60
    index.give_back(index.take(A, 0, 100, 1, -1)[1], -1, 0, 0, forget=True)
    assert index.take_oldest(0, 100) == (second, B, [])
    assert index.take_oldest(0, 100)[0] == -1  # that one is being removed already
    index.removed(second)
    assert len(index.table) == 1 and index.size == 2
    index.take(A, 0, 100, 1, -1)
    assert index.take_oldest(50, 100) == (-1, b"", [(A, 1)])
    assert index.until_expiry(50) == 100
    index.give_back(first, -1, 0, 0, forget=True)
    assert index.take_oldest(0, 100)[0] == first
    index.removed(first)
    assert index.until_expiry(0) > 1 << 20 and index.size == 0


def test_a_record_without_a_file_goes_at_once(index: Index) -> None:
    _, record = index.take(A, 0, 100, 9, -1)
    index.give_back(record, -1, 0, 0, forget=False)
    assert index.take_oldest(0, 100) == (-2, A, [])
    assert len(index.table) == 0


def test_what_is_asked_for_while_it_is_removed_stays(index: Index) -> None:
    record = store(index, A)
    index.take_oldest(0, 100)
    index.take(A, 0, 100, 1, -1)
    index.removed(record)
    assert index.take(A, 0, 100, 1, -1) == (PRESENT, record)


def test_a_full_zone() -> None:
    index = made(4096)
    count = 0
    while index.take(count.to_bytes(16, "big"), 0, 100, 1, -1)[0] != FULL:
        count += 1
    assert count == index.table.count and not index.fits
    assert not index.add(b"x" * 16, 0, 100, 1)


def test_loading(index: Index) -> None:
    assert index.cold
    assert index.add(A, 0, 100, 3) and index.add(A, 0, 100, 3) and index.size == 3
    index.warm_up()
    assert not index.cold
    record = store(index, B)
    index.found(record, 9, 400, 1)
    assert index.body_start(record) == 300
    _, record = index.take(b"c" * 16, 0, 100, 1, -1)
    index.found(record, 9, 400, 1)
    assert index.body_start(record) == 400 and index.size == 6


def test_only_what_is_due(index: Index) -> None:
    first, _ = store(index, A), store(index, B)
    assert index.take_oldest(99, 100, True)[0] == -1
    assert index.take_oldest(100, 100, True)[0] == first


def test_the_duty(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.on_duty() and index.on_duty()
    index.off_duty()
    alive = {1234}
    monkeypatch.setattr("gateway.core.siblings.is_sibling", lambda pid: pid in alive)
    monkeypatch.setattr("os.getpid", lambda: 1234)
    assert index.on_duty()
    monkeypatch.undo()
    monkeypatch.setattr("gateway.core.siblings.is_sibling", lambda pid: pid in alive)
    assert not index.on_duty(), "a living worker has it"
    index.off_duty()
    assert not index.on_duty(), "it was not ours to give back"
    alive.clear()
    assert index.on_duty(), "who had it is dead"


def test_a_reload_goes_on_with_it(index: Index) -> None:
    store(index, A)
    new = Index()
    new.attach(index.zone, index)
    assert new.take(A, 0, 100, 1, -1)[0] == PRESENT
