from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from gateway.core.siblings import children_of, is_relative, is_sibling, parent_of, relatives


def test_who_is_alive() -> None:
    assert is_sibling(os.getpid())
    assert not is_sibling(os.getppid())
    pid = os.fork()
    if not pid:
        os._exit(0 if is_sibling(os.getpid()) else 1)
    assert not is_sibling(pid)  # a child is no sibling
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not is_sibling(pid)


def in_child(work: Callable[[], bool]) -> bool:
    pid = os.fork()
    if not pid:
        done = False
        with contextlib.suppress(BaseException):
            done = work()
        os._exit(not done)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_families_after_a_binary_upgrade() -> None:
    """This process is the old master; its child is a worker, or the new master, whose child is a worker."""
    old = os.getpid()
    assert parent_of(old) == os.getppid() and parent_of(1 << 23) == 0
    assert children_of(1 << 23) == []
    waits = os.fork()  # an old worker
    if not waits:
        signal.pause()
        os._exit(0)
    try:
        assert waits in children_of(old)

        def new_master() -> bool:
            return in_child(lambda: waits in relatives() and is_relative(waits) and os.getpid() not in relatives())

        assert in_child(new_master)
        assert in_child(lambda: is_relative(waits) and waits in relatives()), "another worker of the same master"
        assert in_child(lambda: in_child(lambda: is_relative(os.getppid()))), "the new master beside the old workers"
        assert not is_relative(1) and not is_relative(1 << 23)
        # one level more is no family
        assert in_child(lambda: in_child(lambda: in_child(lambda: not is_relative(waits))))
    finally:
        os.kill(waits, signal.SIGKILL)
        os.waitpid(waits, 0)
