"""How `-s reload` hears what became of it, and `-s quit` what is still to be waited for.

The command binds an abstract datagram socket named after its own process id; the master knows that id from the
signal and sends what happened there: "began", then "done ..." or "failed ...", or "left ..." each second. No file is
left behind, a plain `kill -HUP` has nobody listening, and a master that is no gateway simply never answers.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Final

BEGAN: Final = b"began"
DONE: Final = b"done"
FAILED: Final = b"failed"
LEFT: Final = b"left"

# A master that is ours takes the signal at once, unless it is in the middle of another reload.
_FIRST_ANSWER_S: Final = 10.0
# Long enough for any configuration with names to resolve.
_OUTCOME_S: Final = 300.0
_CREDENTIALS: Final = struct.Struct("iII")


_PREFIX: Final = "gateway-signal-"


def _name(pid: int) -> bytes:
    return b"\0%b%d" % (_PREFIX.encode(), pid)


class Asker:
    """The waiting side, made before the signal is sent."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(_name(os.getpid()))

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def wait(self, master: int) -> tuple[bytes, str] | None:
        """(DONE or FAILED, text); None when the master gave no answer."""
        deadline = time.monotonic() + _FIRST_ANSWER_S
        with self._socket as listening:
            while True:
                listening.settimeout(max(0.0, deadline - time.monotonic()) or 0.001)
                try:
                    word, text = self._receive(master)
                except TimeoutError:
                    return None
                if word == BEGAN:
                    deadline = time.monotonic() + _OUTCOME_S
                elif word in (DONE, FAILED):
                    return word, text

    def heard(self, master: int) -> str:
        """The text of one message that has come, empty where it is not the master's."""
        return self._receive(master)[1]

    def _receive(self, master: int) -> tuple[bytes, str]:
        data, ancillary, _, _ = self._socket.recvmsg(8192, socket.CMSG_SPACE(_CREDENTIALS.size))
        credentials = [value for _, kind, value in ancillary if kind == socket.SCM_CREDENTIALS]
        if not credentials or _CREDENTIALS.unpack(credentials[0])[0] != master:
            return b"", ""  # anyone on this machine can send here; only the master is believed
        word, _, text = data.partition(b" ")
        return word, text.decode("utf-8", "replace")


def askers() -> list[int]:
    """All who wait for some master: for a process that cannot know who sent it a signal."""
    try:
        with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
            names = [line.rpartition(f"@{_PREFIX}")[2].strip() for line in table if f"@{_PREFIX}" in line]
    except OSError:
        return []
    return [int(name) for name in names if name.isdigit()]


def tell(asker: int, word: bytes, text: str = "") -> bool:
    """The answering side, in the master: best effort, never waits; whether anybody listens."""
    if asker <= 0:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
        try:
            message = word + b" " + text.encode("utf-8", "surrogateescape") if text else word
            sender.sendto(message[:8000], _name(asker))
        except BlockingIOError:
            pass  # it listens, and does not read
        except OSError:
            return False  # a plain kill -HUP: nobody asked
    return True
