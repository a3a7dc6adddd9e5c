"""Peers that send without end, each from a process of its own, and a look at what a round of the lane makes of them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.core.lane import Lane, Stream
from tests.lanes import pair, until

# With a listening socket it waits for somebody to ask something. The descriptor is not blocking: it may be shared.
_HOSE = """
import os, select, socket, sys
fd, listens = int(sys.argv[1]), sys.argv[2] == "1"
head, block = (bytes.fromhex(text) for text in sys.argv[3:])
block *= 65536 // len(block) + 1
if listens:
    connection, _ = socket.socket(fileno=fd).accept()
    connection.recv(65536)
    connection.setblocking(False)
    fd = connection.fileno()
data, at = head, 0
try:
    while True:
        if at == len(data):
            data, at = block, 0
        select.select([], [fd], [], 10)
        try:
            at += os.write(fd, memoryview(data)[at:])
        except BlockingIOError:
            pass
except OSError:
    pass
"""

# What a stream may take in a round (gateway._fast.poller), and one read more.
SHARE = 256 * 1024 + 65536


@contextmanager
def flooding(fd: int, head: bytes, block: bytes, *, listens: bool = False) -> Iterator[None]:
    """Send the head and then the block without end; of a socket that `listens`, to the first one who asks."""
    hose = subprocess.Popen(
        [sys.executable, "-S", "-c", _HOSE, str(fd), str(int(listens)), head.hex(), block.hex()], pass_fds=(fd,)
    )
    try:
        yield
    finally:
        hose.kill()
        hose.wait()


@contextmanager
def upstream(head: bytes, block: bytes) -> Iterator[str]:
    """The address of a peer that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as listening, flooding(listening.fileno(), head, block, listens=True):
        yield f"127.0.0.1:{listening.getsockname()[1]}"


class Rounds:
    """Has an event in each round of a lane, and notes by how much something grew from one to the next."""

    def __init__(self, lane: Lane, count: Callable[[], int] | None = None) -> None:
        self.lane = lane
        self.count = count or self.received
        self.stream, self.peer = pair(lane)
        self.stream.handler = self.tick
        self.rounds = 0
        self.begun = self.last = self.count()
        self.most = 0
        self.peer.send(b"?")

    def received(self) -> int:
        """By all streams that are open."""
        own = self.__dict__.get("stream")
        sources: list[Any] = self.lane.sources()
        return sum(each.received for each in sources if isinstance(each, Stream) and each is not own)

    def tick(self) -> None:
        if self.stream.recv():
            now = self.count()
            self.most = max(self.most, now - self.last)
            self.last = now
            self.rounds += 1
            self.peer.send(b"?")

    def fair(self, sides: int = 1) -> bool:
        """So many streams had their share of a round, and no more. From one tick to the next there may be two shares:
        the kernel names the other stream first in one round, and behind us in the next."""
        share = sides * SHARE
        return self.most <= 2 * share and self.last - self.begun <= (self.rounds + 1) * share

    async def grown_by(self, count: int, seconds: float = 20) -> None:
        """Wait until so much came; then it is over."""
        await until(lambda: self.last - self.begun >= count, seconds)
        self.stream.close()
        self.peer.close()
