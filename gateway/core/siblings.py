"""Which of the processes that share memory are alive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.core.zones import Words


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


def parent_of(pid: int) -> int:
    """0: it is not alive, or nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b") ")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state == b"Z" else int(parent)


def children_of(pid: int) -> list[int]:
    """Empty too where the kernel does not tell it."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def relatives() -> list[int]:
    """What may be a worker of this master, of the one that it was started by for a binary upgrade, or of such a one."""
    parent = os.getppid()
    found = []
    for process in children_of(parent):
        found += [process, *children_of(process)]
    return [process for process in found + children_of(parent_of(parent)) if process not in (os.getpid(), parent)]


def is_relative(pid: int) -> bool:
    """Whether it is a living worker of such a master."""
    own, parent = os.getppid(), parent_of(pid)
    return (parent > 1 and own in (parent, parent_of(parent))) or parent == parent_of(own) > 1


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def take_duty(words: Words, index: int) -> bool:
    """Take what one worker does for all if nobody alive has it; True while it is this worker's. A word has the pid."""
    own = os.getpid()
    holder = words.load(index)
    return holder == own or (not (holder and is_sibling(holder)) and words.cas(index, holder, own))


def leave_duty(words: Words, index: int) -> None:
    """This worker ends: another one may take the duty, if it was ours."""
    words.cas(index, os.getpid(), 0)
