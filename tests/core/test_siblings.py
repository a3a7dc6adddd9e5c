from __future__ import annotations

import os

from gateway.core.siblings import is_sibling


def test_who_is_alive() -> None:
    assert is_sibling(os.getpid())
    assert not is_sibling(os.getppid())
    pid = os.fork()
    if not pid:
        os._exit(0 if is_sibling(os.getpid()) else 1)
    assert not is_sibling(pid)  # a child is no sibling
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not is_sibling(pid)
