from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from gateway.core.worker_rows import WorkerRows
from gateway.core.zones import Zone
from gateway.serving.count_table import CountTable

WORDS = 9  # two lines of a cache with the pid


class Counts:
    def __init__(self) -> None:
        self.rows: WorkerRows

    def attach(self, rows: WorkerRows) -> None:
        self.rows = rows
        self.use(0)

    def use(self, worker: int) -> None:
        self.row = self.rows.use(worker)


def mapped(names: str, workers: int, old: Zone | None = None) -> tuple[CountTable[str, Counts], Zone]:
    table: CountTable[str, Counts] = CountTable(WORDS)
    table.counts = {name: Counts() for name in names}
    zone = Zone("counts", table.size, "test", reuse=False)
    table.declare(zone)
    zone.map(old, workers)
    return table, zone


def count(table: CountTable[str, Counts], name: str, number: int) -> None:
    table.counts[name].row.add(WORDS - 1, number)


def counted(table: CountTable[str, Counts]) -> dict[str, int]:
    return {name: counts.rows.sums(WORDS - 1, WORDS)[0] for name, counts in table.counts.items()}


def worker(number: int) -> Any:
    return cast(Any, SimpleNamespace(number=number))


def test_each_name_and_each_worker_has_a_row() -> None:
    table, _ = mapped("ab", 3)
    for number in range(3):
        table.begin_worker(worker(number))
        count(table, "a", 1)
        count(table, "b", 10 + number)
    assert counted(table) == {"a": 3, "b": 33}
    assert [row.load(WORDS - 1) for row in table.counts["b"].rows.rows] == [10, 11, 12]


def test_a_reload_goes_on_with_the_names_that_are_still_there() -> None:
    first, zone = mapped("ab", 2)
    count(first, "a", 5)
    count(first, "b", 7)
    second, _ = mapped("bc", 2, zone)
    assert counted(second) == {"b": 7, "c": 0}
    count(first, "b", 1)  # what ends in an old worker
    count(second, "b", 1)
    assert counted(second) == {"b": 9, "c": 0}


def test_many_names_have_room() -> None:
    table: CountTable[int, Counts] = CountTable(WORDS)
    table.counts = {number: Counts() for number in range(500)}
    zone = Zone("counts", table.size, "test", reuse=False)
    table.declare(zone)
    zone.map(None, 4)
    for counts in table.counts.values():
        counts.use(3)
        counts.row.add(0, 1)
    assert all(counts.rows.sums(0, 1) == [1] for counts in table.counts.values())
