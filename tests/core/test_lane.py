from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
import trio

from gateway.core.lane import Lane, Stream, in_trio, sleep


@pytest.fixture
async def lane(nursery: trio.Nursery) -> AsyncIterator[Lane]:
    lane = Lane()
    await nursery.start(lane.run)
    yield lane
    nursery.cancel_scope.cancel()


async def test_a_fibre_echoes(lane: Lane) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    stream = Stream(lane, ours.detach())

    async def echo() -> None:
        while await stream.wait_readable():
            data = stream.recv()
            if data == b"":
                break
            if data is not None:
                stream.send(data)
        await sleep(0.01)
        await in_trio()
        await trio.sleep(0.01)
        stream.close()

    fibre = lane.spawn(echo())
    peer = trio.socket.from_stdlib_socket(theirs)
    await peer.send(b"hello")
    assert await peer.recv(100) == b"hello"
    peer.shutdown(socket.SHUT_WR)
    assert await peer.recv(100) == b""
    while not fibre.done:
        await trio.sleep(0.001)
    peer.close()
