"""The table of child processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gateway.process.children import Children
from tests.process.memory_log import memory_log
from tests.process.running import until


def serve(ready: int) -> None:
    os.write(ready, b"1")
    time.sleep(60)


def wait_dead(children: Children, log: object, count: int) -> None:
    def dead() -> bool:
        children.collect(log)  # type: ignore[arg-type]
        return sum(child.exited for child in children) == count

    until(dead, "the end of the children")


def test_ready_signalled_buried() -> None:
    log, lines = memory_log()
    children = Children()
    first = children.spawn("worker process", 0, serve, log, just_started=False)
    second = children.spawn("worker process", 1, serve, log, just_started=True)
    assert first is not None
    assert second is not None
    assert children.wait_ready(10)
    children.signal(signal.SIGTERM, log)  # the second one was just started: not for it
    assert (first.exiting, second.exiting) == (True, False)
    assert children.draining == 1
    wait_dead(children, log, 1)
    assert children.bury() == [first]
    assert children.live
    children.signal(signal.SIGKILL, log)
    wait_dead(children, log, 1)
    assert children.bury() == [second]
    assert not children.live
    assert lines == [
        f"[notice] start worker process {first.pid}",
        f"[notice] start worker process {second.pid}",
        f"[alert] worker process {first.pid} exited on signal 15",
        f"[alert] worker process {second.pid} exited on signal 9",
    ]


def test_one_that_ends_before_it_is_ready() -> None:
    log, lines = memory_log()
    children = Children()

    def fail(ready: int) -> None:
        raise SystemExit(2)

    child = children.spawn("worker process", 0, fail, log, just_started=False)
    assert child is not None
    assert not children.wait_ready(10)
    wait_dead(children, log, 1)
    assert not child.respawn
    assert lines[1:] == [
        f"[notice] worker process {child.pid} exited with code 2",
        f"[alert] worker process {child.pid} exited with fatal code 2 and cannot be respawned",
    ]


def test_a_new_binary_is_not_signalled() -> None:
    log, _ = memory_log()
    children = Children()
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    children.adopt(pid, "new binary process")
    children.signal(signal.SIGTERM, log)
    assert not children.live
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGKILL)
    wait_dead(children, log, 1)


def test_no_end_of_a_pipe_is_left(tmp_path: Path) -> None:
    """A child that holds the reading end of its own pipe would never learn that nobody reads it."""

    def write_late(ready: int) -> None:
        until((tmp_path / "now").exists, "the word", 20)
        try:
            os.write(ready, b"1")
        except BrokenPipeError:
            raise SystemExit(7) from None

    log, _ = memory_log()
    children = Children()
    before = len(os.listdir("/proc/self/fd"))
    child = children.spawn("worker process", 0, write_late, log, just_started=False)
    assert child is not None
    os.close(child.ready)
    child.ready = -1
    (tmp_path / "now").touch()
    wait_dead(children, log, 1)
    assert child.status is not None and os.waitstatus_to_exitcode(child.status) == 7
    second = children.spawn("worker process", 1, serve, log, just_started=False)
    assert second is not None and children.wait_ready(10)
    os.kill(second.pid, signal.SIGKILL)
    wait_dead(children, log, 2)
    assert len(os.listdir("/proc/self/fd")) == before
