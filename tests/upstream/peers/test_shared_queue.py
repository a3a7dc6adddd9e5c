from __future__ import annotations

import copy
import os
import select

from gateway.upstream.peers.shared_queue import SharedQueue


def rings(line: SharedQueue) -> bool:
    """Whether it rang since it was looked at last."""
    try:
        return os.eventfd_read(line.bell) > 0
    except BlockingIOError:
        return False


def two() -> tuple[SharedQueue, SharedQueue]:
    """The same line in two workers."""
    one = SharedQueue()
    other = copy.copy(one)
    one.claim(1)
    other.claim(2)
    return one, other


def test_who_has_waited_longest_goes_first() -> None:
    one, other = two()
    first, second = one.join(), other.join()
    one.stand(first)
    other.stand(second)
    assert one.waiting == other.waiting == 2
    assert one.may_go(first) and not other.may_go(second)
    one.leave()
    one.stand(0)
    assert other.may_go(second) and other.waiting == 1


def test_nobody_waits_in_a_worker_that_is_dead() -> None:
    one, other = two()
    one.stand(one.join())
    one.join()
    ticket = other.join()
    other.stand(ticket)
    assert not other.may_go(ticket) and not rings(one)
    other.bury(1)
    assert other.may_go(ticket) and other.waiting == 1 and rings(one)


def test_more_workers_than_rows() -> None:
    line = SharedQueue()
    for pid in range(1, 300):
        line.claim(pid)
    beyond = copy.copy(line)
    beyond._row = -1
    beyond.claim(999)
    ticket = beyond.join()
    beyond.stand(ticket)
    assert beyond.may_go(ticket) and beyond.waiting == 1
    beyond.leave()
    assert beyond.waiting == 0


def test_every_ring_is_an_edge_for_all() -> None:
    line = SharedQueue()
    watching = [select.epoll() for _ in range(2)]
    for epoll in watching:
        epoll.register(line.bell, select.EPOLLIN | select.EPOLLET)
    for _ in range(3):
        line.ring()
        assert [len(epoll.poll(0)) for epoll in watching] == [1, 1]
        assert [len(epoll.poll(0)) for epoll in watching] == [0, 0]
    for epoll in watching:
        epoll.close()
