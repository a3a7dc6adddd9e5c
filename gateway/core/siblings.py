"""Which of the processes that share memory are alive."""

from __future__ import annotations

import os


def is_sibling(pid: int) -> bool:
    """Whether this is a living process of the same master, which a number that was given out anew is not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b") ")[2].split()[:2]
    except OSError:
        if os.path.exists("/proc/self"):
            return False
        return _answers_signals(pid)  # a chroot without /proc
    return state != b"Z" and int(parent) == os.getppid()


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
