"""A running lane and socket pairs for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from gateway.core.lane import Fibre, Lane, Stream

KINDS = pytest.mark.parametrize("kind", [socket.AF_UNIX, socket.AF_INET], ids=["unix", "tcp"])


class Crashes(list[tuple[BaseException, object]]):
    """Takes on_crash calls; whoever expects none asserts that it is empty."""

    def __call__(self, error: BaseException, where: object) -> None:
        self.append((error, where))


@asynccontextmanager
async def running(lane: Lane | None = None) -> AsyncIterator[Lane]:
    """A lane that runs; a crash which the test did not take off `lane.on_crash` fails the test."""
    lane = Lane() if lane is None else lane
    crashes = Crashes()
    if lane.on_crash is None:
        lane.on_crash = crashes
    async with trio.open_nursery() as nursery:
        await nursery.start(lane.run)
        yield lane
        nursery.cancel_scope.cancel()
    assert lane.streams == 0
    assert lane.fibre_count == 0
    assert not crashes


def pair(lane: Lane, kind: int = socket.AF_UNIX) -> tuple[Stream, socket.socket]:
    """A stream and the blocking socket at its other end."""
    ours, theirs = socket.socketpair() if kind == socket.AF_UNIX else tcp_pair()
    ours.setblocking(False)
    theirs.settimeout(5)
    return Stream(lane, ours.detach()), theirs


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    return ours, theirs


async def until(condition: Callable[..., object], seconds: float = 5) -> None:
    """Wait for a condition that the lane brings about; under autojump_clock use trio.sleep instead."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.001)


async def finished(lane: Lane, wait: Callable[[], Awaitable[object]]) -> object:
    """What `await wait()` gives inside a fibre."""
    result: list[object] = []

    async def body() -> None:
        result.append(await wait())

    fibre: Fibre = lane.spawn(body())
    await until(lambda: fibre.done)
    return result[0]


class Collector:
    """Reads the other end in a thread, as fast as it can or at a bounded rate."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.data = bytearray()
        self.ended = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while piece := self.peer.recv(65536):
            self.data += piece
        self.ended = True
        self.peer.close()
