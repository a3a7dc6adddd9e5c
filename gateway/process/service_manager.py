"""What systemd is told of the master, by the socket that NOTIFY_SOCKET names (sd_notify(3)); nothing without one.

nginx says nothing, so that its unit has to look for a pid file. With Type=notify a unit is active when workers accept,
its status line says which generation is live, and after a change of the binary the new master is the main process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"


def _tell(*lines: str) -> None:
    address = os.environ.get(VARIABLE, "")
    if address[:1] not in ("/", "@"):
        return
    name = "\0" + address[1:] if address[0] == "@" else address
    # A service manager that does not listen is no reason to do anything else.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(name)
        to.send("\n".join(lines).encode())


def ready(status: str) -> None:
    """It serves: after the start, and after each reload, whatever became of it."""
    _tell("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")


def reloading() -> None:
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading the configuration")


def stopping(successor: int = 0) -> None:
    """The end; unless a new binary goes on, which is the service from now on."""
    if successor:
        _tell(f"MAINPID={successor}")
    else:
        _tell("STOPPING=1", "STATUS=waiting for the last connections")
