from __future__ import annotations

import os
import subprocess
import sys

from gateway.core.worker_rows import WorkerRows, carry, cut_rows, row_bytes
from gateway.core.zones import Zone

SIZE = 7


def made(count: int = 2, workers: int = 3) -> list[WorkerRows]:
    zone = Zone("rows", 4096, "test")
    zone.each_worker = count * row_bytes(SIZE)
    zone.map(None, workers)
    return cut_rows(zone, SIZE, count)


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_row_for_each_worker() -> None:
    first, second = made()
    for worker in (0, 1, 2, 4):  # the last one is 1 again
        first.use(worker).add(3, 10 + worker)
    second.use(1).add(3, 5)
    assert first.sums(2, 5) == [0, 47, 0]
    assert first.nonzero(2, SIZE) == {1: 47}
    assert (second.sums(3, 4), second.under_way(3)) == ([5], 5)
    first.clear(2, SIZE)
    first.use(0).add(3, 1)
    assert (first.sums(3, 4), second.sums(3, 4)) == ([1], [5])


def test_no_two_rows_share_a_line() -> None:
    zone = Zone("rows", 4096, "test")
    zone.map()
    rows = cut_rows(zone, SIZE, 3)
    assert row_bytes(SIZE) == 64 and row_bytes(SIZE + 1) == 128
    assert [row.use(0) is row.rows[0] for row in rows] == [True] * 3
    assert zone.left % 64 == 0


def test_rows_of_workers_that_end_are_read_as_long_as_they_live() -> None:
    then, _ = made()
    rows = [then.use(worker) for worker in range(3)]
    for number, row in enumerate(rows):
        row.store(1, 10**number)
    rows[2].store(SIZE, ended_pid())
    now, _ = made()
    carry([(now, then)])
    assert (now.sums(1, 2), now.base.load(1), now.old) == ([111], 100, rows[:2])
    assert now.under_way(1) == 0
    rows[0].add(1, 5)
    # a second reload: one has ended since, one goes on
    now.use(0).store(1, 1000)
    rows[0].store(SIZE, ended_pid())
    later, _ = made()
    carry([(later, now)])
    assert (later.sums(1, 2), later.base.load(1)) == ([1116], 106)
    rows[1].add(1, 2)
    assert later.sums(1, 2) == [1118]
    assert rows[1].load(SIZE) == os.getpid()
