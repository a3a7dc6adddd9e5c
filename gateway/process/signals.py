"""The signals that nginx knows, what they mean to master and worker, and -s."""

from __future__ import annotations

import os
import signal
from typing import Final

from gateway.core.logs import Log

RECONFIGURE: Final = signal.SIGHUP
REOPEN: Final = signal.SIGUSR1
NO_ACCEPT: Final = signal.SIGWINCH
TERMINATE: Final = signal.SIGTERM
SHUTDOWN: Final = signal.SIGQUIT
CHANGE_BINARY: Final = signal.SIGUSR2

ALL: Final = frozenset(
    {
        RECONFIGURE, REOPEN, NO_ACCEPT, TERMINATE, SHUTDOWN, CHANGE_BINARY,
        signal.SIGALRM, signal.SIGINT, signal.SIGIO, signal.SIGCHLD,
    }
)  # fmt: skip

# -s NAME
BY_NAME: Final = {"stop": TERMINATE, "quit": SHUTDOWN, "reopen": REOPEN, "reload": RECONFIGURE}

_NAMES: Final = {signal.SIGIO: "SIGIO"}


def describe(number: int, sender: int, action: str) -> str:
    """nginx's line about a signal that came in."""
    known = signal.Signals(number)
    name = _NAMES.get(known, known.name)
    by = f" received from {sender}" if sender else " received"
    return f"signal {number} ({name}){by}{action}"


def block() -> None:
    """Keep all of nginx's signals pending until someone waits for them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGSYS, signal.SIG_IGN)


def send(name: str, pid: int, log: Log) -> bool:
    """Send what -s names; False after nginx's alert."""
    number = BY_NAME[name]
    try:
        os.kill(pid, number)
    except OSError as error:
        log.alert(f"kill({pid}, {number.value}) failed", errno=error.errno or 0)
        return False
    return True
