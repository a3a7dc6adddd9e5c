from __future__ import annotations

import os

from gateway.dev.diagnosis.heard import Heard


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_for_each_key() -> None:
    clock = Clock()
    heard = Heard(clock)
    assert heard.first_time("a", 1) and heard.first_time("a", b"1") and heard.first_time("a", "1")
    assert not heard.first_time("a", 1)
    clock.now += 59.9
    assert not heard.first_time("a", 1)
    clock.now += 0.2
    assert heard.count("a", 1) == 0
    assert heard.first_time("a", 1)
    assert [heard.add("b"), heard.add("b"), heard.count("b"), heard.count("c")] == [1, 2, 2, 0]


def test_the_oldest_is_forgotten() -> None:
    heard = Heard(Clock(), most=3)
    assert all(heard.first_time(number) for number in range(4))
    assert [heard.count(number) for number in range(4)] == [0, 1, 1, 1]


def test_processes_share_it() -> None:
    heard = Heard()
    assert heard.first_time("parent")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if not heard.first_time("parent") and heard.first_time("child") else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not heard.first_time("child")
