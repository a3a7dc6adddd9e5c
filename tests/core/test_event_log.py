"""The last things that happened, in memory that processes share."""

from __future__ import annotations

import os
import time

from gateway.core.event_log import EventLog


def test_the_newest_first() -> None:
    log = EventLog()
    assert log.newest() == []
    began = time.time()
    log.tell("warn", "peer", b"app 127.0.0.1:80", b"is left alone", b"111: Connection refused")
    log.tell("notice", "configuration", "nginx.conf", "was loaded anew")
    second, first = log.newest()
    assert began - 0.001 <= first.pop("time") <= second.pop("time") <= time.time() + 0.001  # it is rounded
    assert first == {
        "id": 1, "level": "warn", "kind": "peer", "object": "app 127.0.0.1:80", "text": "is left alone",
        "cause": "111: Connection refused",
    }  # fmt: skip
    assert (second["id"], second["object"], second["cause"]) == (2, "nginx.conf", "")


def test_it_is_bounded() -> None:
    log = EventLog()
    for number in range(1000):
        log.tell("warn", "peer", str(number), "x")
    found = log.newest()
    assert [each["object"] for each in found] == [str(number) for number in range(999, 743, -1)]


def test_texts_of_any_kind() -> None:
    """Long ones are cut, and no byte makes a record that cannot be read."""
    log = EventLog()
    for bad in (b"\xff\x00\r\n" * 500, "\udcff\U0001f600" * 500, '"\\' * 500, "\x01" * 500, b"", "<b>"):
        log.tell("alert", "worker", bad, bad, bad)
    found = log.newest()
    assert len(found) == 6
    assert found[0]["object"] == found[0]["cause"] == "<b>"
    assert all(len(each["text"]) <= 280 for each in found)
    for each in found:
        str(each).encode()


def test_what_goes_on_is_said_once_a_minute() -> None:
    log = EventLog()
    for name in ("one", "two", "one", "one"):
        log.tell_once("alert", "limit zone", name, "is full")
    assert [each["object"] for each in log.newest()] == ["two", "one"]


def test_processes_share_it() -> None:
    log = EventLog()
    log.tell("notice", "worker", "0", "of the master")
    pids = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(20):
                    log.tell("notice", "worker", str(number), "of a worker")
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    found = log.newest()
    assert sorted(each["id"] for each in found) == list(range(1, 82))
    assert {each["object"] for each in found} == {"0", "1", "2", "3"}
