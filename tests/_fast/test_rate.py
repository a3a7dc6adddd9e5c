from __future__ import annotations

import socket

import pytest
import trio

from gateway.core.lane import Lane, Stream
from tests.lanes import pair, running


async def paced(lane: Lane, stream: Stream, peer: socket.socket, seconds: int) -> list[int]:
    """How many bytes are out after each second."""
    out = []
    for _ in range(seconds):
        await trio.sleep(1)
        out.append(stream.sent)
    peer.setblocking(False)
    return out


async def test_limit_rate(autojump_clock: trio.testing.MockClock) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.limit_rate(1000)
        assert stream.send(b"x" * 5000) == 4000
        assert stream.delayed
        assert stream.flush() == 4000
        await trio.sleep(0.5)
        assert stream.sent == 1000
        out = await paced(lane, stream, peer, 6)
        assert stream.sent == 5000 and not stream.pending
        assert all(abs(sent - 1000 * (n + 2)) <= 1000 for n, sent in enumerate(out[:3]))
        peer.close()


async def test_limit_rate_after(autojump_clock: trio.testing.MockClock) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.send(b"earlier answer")
        stream.limit_rate(1000, 3000)
        assert stream.send(b"x" * 6000) == 2000
        told: list[int] = []
        stream.handler = lambda: told.append(stream.pending)
        await trio.sleep(4)
        assert stream.pending == 0 and told[-1] == 0
        peer.close()


async def test_limit_rate_taken_off_again(autojump_clock: trio.testing.MockClock) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.limit_rate(10)
        assert stream.send(b"x" * 1000) == 990
        stream.limit_rate(0)
        assert stream.pending == 0
        peer.close()


@pytest.mark.parametrize(("rate", "after", "size"), [(1000, 0, 10_000), (4000, 1000, 5_000), (100, 900, 1000)])
async def test_the_whole_takes_its_time(
    autojump_clock: trio.testing.MockClock, rate: int, after: int, size: int
) -> None:
    """The free part and the first second's worth go at once, the rest at the rate."""
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.limit_rate(rate, after)
        begin = lane.now
        stream.send(b"x" * size)
        while stream.pending:
            await trio.sleep(0.01)
        took = lane.now - begin
        assert took == pytest.approx(max(0, (size - after - rate) / rate), abs=1.1)
        peer.close()
