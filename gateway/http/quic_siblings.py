"""Packets of QUIC that reach another worker than their connection's, and go to that one.

The kernel leads packets by the client's address, and after a reload to the new workers: both read one socket. So the
id of a connection begins with the process that has it, and each worker takes what others pass on, on a socket of its
own.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway._fast.datagrams import Datagrams
from gateway.core.siblings import is_relative, relatives

if TYPE_CHECKING:
    from gateway._fast.poller import Poller

CID_SIZE: Final = 20
_TAG: Final = struct.Struct("!I")
_MOST_PROCESSES: Final = 1 << 22  # the kernel's PID_MAX_LIMIT: a random id is hardly ever taken for one of ours
_SIZES: Final = struct.Struct("!BB")  # of the addresses before a packet that is passed on
_NOBODY: Final = (errno.ECONNREFUSED, errno.ENOENT)
_FAMILY: Final = struct.pack("=H", socket.AF_UNIX)


def tagged(connection_id: bytes) -> bytes:
    """The id, as one of this process."""
    return _TAG.pack(os.getpid()) + connection_id[_TAG.size :]


def untagged() -> bytes:
    """A new id that is of no process yet."""
    return b"\xff" + os.urandom(CID_SIZE - 1)


def owner(connection_id: bytes) -> int:
    """The process that has this connection; 0 if the id is not one of ours."""
    if len(connection_id) != CID_SIZE:
        return 0
    found: int = _TAG.unpack_from(connection_id)[0]
    return found if found <= _MOST_PROCESSES else 0


class Siblings:
    """The other workers with a socket for this address, text.

    arrived(packet, raw sender, packed local address or None) is called with what they pass on. Anybody on this machine
    may send here, as anybody may send packets: who is called has to look whether there is such a connection.

    `generation` is the same in all workers of one configuration. replaced(): workers of another one read the socket.
    """

    def __init__(
        self,
        lane: Poller,
        text: bytes,
        generation: bytes,
        arrived: Callable[[bytes, bytes, bytes | None], object],
        replaced: Callable[[], object],
    ) -> None:
        self.text = text
        self.generation = generation
        self.arrived = arrived
        self.replaced = replaced
        self.socket: Datagrams | None = None
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.bind(self._name(os.getpid()))
        except OSError:
            made.close()  # without it connections are as they are everywhere: bound to their worker
            return
        self.socket = Datagrams(lane, made.detach(), self._arrived, lambda number: None)

    def _name(self, process: int) -> bytes:
        return b"\0gateway-quic-%d-%s" % (process, self.text)

    def pass_on(self, process: int, packet: bytes, sender: bytes, local: bytes | None) -> bool:
        """False: there is no such process, so the id is none of ours. What does not arrive was lost, as packets are."""
        return self._send(process, sender, local or b"", packet) not in _NOBODY

    def announce(self) -> None:
        """Tell the others that this one reads the socket."""
        for process in relatives():
            self._send(process, b"", b"", self.generation)

    def _send(self, process: int, sender: bytes, local: bytes, data: bytes) -> int:
        if self.socket is None:
            return errno.ENOENT
        text = _SIZES.pack(len(sender), len(local)) + sender + local + data
        return self.socket.send(text, _FAMILY + self._name(process))

    def _arrived(self, data: bytes, sender: bytes, _local: bytes | None) -> None:
        if len(data) < _SIZES.size:
            return
        sender_size, local_size = _SIZES.unpack_from(data)
        at = _SIZES.size + sender_size
        end = at + local_size
        if end > len(data):
            return
        if sender_size:
            self.arrived(data[end:], data[_SIZES.size : at], data[at:end] or None)
        elif data[end:] != self.generation and self._is_worker(sender):
            self.replaced()

    def _is_worker(self, sender: bytes) -> bool:
        """Whether one of ours has said that."""
        parts = sender[len(_FAMILY) :].split(b"-", 3)
        return len(parts) == 4 and parts[2].isdigit() and is_relative(int(parts[2]))

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
