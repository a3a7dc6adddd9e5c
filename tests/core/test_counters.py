"""counters: stub_status over all workers."""

from __future__ import annotations

import os
import signal

from gateway.core.counters import Counters, Status, WorkerStatus


def test_the_life_of_connections() -> None:
    counters = Counters(4, shared=False)
    worker = counters.claim()
    worker.accepted()
    worker.accepted()
    worker.dropped()
    assert counters.read() == Status(3, 2, 0, 2, 0, 0, 2)
    worker.head_begins()
    assert counters.read() == Status(3, 2, 0, 2, 1, 0, 1)
    worker.head_ends()
    worker.request_begins()
    assert counters.read() == Status(3, 2, 1, 2, 0, 1, 1)
    worker.request_ends()
    worker.closed()
    assert counters.read() == Status(3, 2, 1, 1, 0, 0, 1)
    counters.release(os.getpid())
    assert counters.read() == Status(3, 2, 1, 0, 0, 0, 0)


def test_a_killed_worker_s_connections_do_not_stay() -> None:
    counters = Counters(4)
    pid = os.fork()
    if pid == 0:
        worker = counters.claim()
        for _ in range(3):
            worker.accepted()
        worker.request_begins()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    mine = counters.claim()
    mine.accepted()
    assert counters.read() == Status(4, 4, 1, 1, 0, 0, 1)


def test_more_workers_than_slots() -> None:
    counters = Counters(2)
    alive = os.getpid(), os.getppid(), 1
    for pid in alive:
        counters.claim(pid).accepted()
    assert counters.read().active == 3


def test_each_worker_by_its_number() -> None:
    counters = Counters(4, shared=False)
    own = os.getpid()
    old = counters.claim(own, 0)
    for _ in range(3):
        old.accepted()
    other = counters.claim(os.getppid(), 1)
    other.accepted()
    other.request_begins()
    new = counters.claim(own, 0)  # after a reload, the old one still ends its connections
    new.accepted()
    new.dropped()
    assert counters.workers() == [
        WorkerStatus(0, own, Status(2, 1, 0, 1, 0, 0, 1)),
        WorkerStatus(1, os.getppid(), Status(1, 1, 1, 1, 0, 1, 0)),
    ]
    assert counters.read() == Status(6, 5, 1, 5, 0, 1, 4)
    counters.reset(connections=True, number=1)
    assert counters.read() == Status(5, 4, 1, 5, 0, 1, 4)
    counters.release(os.getppid())
    assert counters.read() == Status(5, 4, 1, 4, 0, 0, 4)
    counters.reset(connections=False)
    counters.reset(connections=True)
    assert counters.read() == Status(0, 0, 0, 4, 0, 0, 4)
