"""How `-s reload` hears what became of it.

The command binds an abstract datagram socket named after its own process id; the master knows that id from the
signal and sends what happened there: "began", then "done ..." or "failed ...". No file is left behind, a plain
`kill -HUP` has nobody listening, and a master that is no gateway simply never answers.
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

# A master that is ours takes the signal at once, unless it is in the middle of another reload.
_FIRST_ANSWER_S: Final = 10.0
# Long enough for any configuration with names to resolve.
_OUTCOME_S: Final = 300.0
_CREDENTIALS: Final = struct.Struct("iII")


def _name(pid: int) -> bytes:
    return b"\0gateway-reload-%d" % pid


class Asker:
    """The waiting side, made before the signal is sent."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(_name(os.getpid()))

    def wait(self, master: int) -> tuple[bytes, str] | None:
        """(DONE or FAILED, text); None when the master gave no answer."""
        deadline = time.monotonic() + _FIRST_ANSWER_S
        with self._socket as listening:
            while True:
                listening.settimeout(max(0.0, deadline - time.monotonic()) or 0.001)
                try:
                    data, ancillary, _, _ = listening.recvmsg(8192, socket.CMSG_SPACE(_CREDENTIALS.size))
                except TimeoutError:
                    return None
                credentials = [value for _, kind, value in ancillary if kind == socket.SCM_CREDENTIALS]
                if not credentials or _CREDENTIALS.unpack(credentials[0])[0] != master:
                    continue  # anyone on this machine can send here; only the master is believed
                word, _, text = data.partition(b" ")
                if word == BEGAN:
                    deadline = time.monotonic() + _OUTCOME_S
                elif word in (DONE, FAILED):
                    return word, text.decode("utf-8", "replace")


def tell(asker: int, word: bytes, text: str = "") -> None:
    """The answering side, in the master: best effort, never waits."""
    if asker <= 0:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
        try:
            message = word + b" " + text.encode("utf-8", "surrogateescape") if text else word
            sender.sendto(message[:8000], _name(asker))
        except OSError:
            pass  # a plain kill -HUP: nobody asked
