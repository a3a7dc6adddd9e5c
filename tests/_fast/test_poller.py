from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys

import pytest
import trio

from gateway.core.lane import Fibre, Lane, Stream, in_trio, park, sleep
from tests.lanes import pair, running, until


async def test_an_event_for_a_descriptor_that_was_reused_reaches_nobody() -> None:
    """Both streams have an event in the same batch; the first handler closes the second and its number is taken."""
    async with running() as lane:
        (first, first_peer), (second, second_peer) = pair(lane), pair(lane)
        first.recv()
        second.recv()
        calls: list[str] = []
        fresh: list[Stream] = []
        others: list[socket.socket] = []

        def replace(mine: Stream, other: Stream) -> None:
            calls.append("one")
            mine.handler = None
            number = other.fd
            other.close()
            ours, theirs = socket.socketpair()
            others.append(theirs)
            if ours.fileno() != number:
                os.dup2(ours.fileno(), number)
                ours.close()
            else:
                ours.detach()
            os.set_blocking(number, False)
            fresh.append(Stream(lane, number, handler=lambda: calls.append("stale")))

        first.handler = lambda: replace(first, second)
        second.handler = lambda: replace(second, first)
        first_peer.send(b"x")
        second_peer.send(b"x")
        await until(lambda: calls)
        await trio.sleep(0.02)
        assert calls == ["one"]
        assert fresh[0].recv() is None
        for each in (first_peer, second_peer, *others):
            each.close()


async def test_many_streams() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1500, (soft - 100) // 2)
    async with running() as lane:
        pairs = [pair(lane) for _ in range(count)]
        got: list[int] = []
        for n, (stream, _) in enumerate(pairs):
            stream.handler = lambda n=n, stream=stream: got.append(n) if stream.recv() else None
            stream.deadline = lane.now + 60 + n
        for _, peer in pairs:
            peer.send(b"x")
        await until(lambda: len(got) == count)
        assert sorted(got) == list(range(count))
        for _, peer in pairs:
            peer.close()


async def test_a_child_that_keeps_the_descriptor_does_no_harm() -> None:
    """Its copy keeps the epoll entry of a closed stream alive; events of that entry reach nobody."""
    async with running() as lane:
        stream, peer = pair(lane)
        number = stream.fd
        os.set_inheritable(number, True)
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, close_fds=False
        )
        stream.handler = lambda: pytest.fail("closed")
        stream.close()
        del stream
        peer.send(b"x")
        await trio.sleep(0.02)
        fresh, fresh_peer = pair(lane)
        got: list[object] = []
        fresh.handler = lambda: got.append(fresh.recv())
        peer.send(b"x")
        fresh_peer.send(b"y")
        await until(lambda: got)
        assert got == [b"y"]
        child.communicate(b"\n")
        peer.close()
        fresh_peer.close()


async def test_a_signal_that_interrupts_the_wait() -> None:
    hits: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
    try:
        async with running(Lane(linger_s=0.05)) as lane:
            stream, peer = pair(lane)
            stream.handler = lambda: stream.send(stream.recv() or b"")
            signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
            for _ in range(20):
                peer.send(b"x")
                await until(lambda: stream.sent)
                await trio.sleep(0.003)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert stream.sent == 20
            peer.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hits


@pytest.mark.parametrize("seed", range(4))
async def test_random_use(seed: int) -> None:
    """Streams and fibres of all sorts, cancelled, closed and woken at random moments: nothing is left of them."""
    rng = random.Random(seed)
    peers: list[socket.socket] = []
    streams: list[Stream] = []
    fibres: list[Fibre] = []

    async def user(stream: Stream) -> None:
        try:
            if rng.random() < 0.2:
                await in_trio()
            while not stream.closed:
                await stream.wait_readable(lane.now + rng.random() * 0.02)
                data = stream.recv(rng.choice([1, 100, 65536]))
                if data == b"":
                    break
                stream.send(b"z" * rng.choice([1, 1000, 300_000]))
                await stream.wait_room(1000, lane.now + 0.01)
                await sleep(rng.random() * 0.002)
                if rng.random() < 0.1:
                    await park(lane.now + 0.005)
        except OSError:
            pass
        finally:
            stream.close()

    def open_one() -> None:
        stream, peer = pair(lane, rng.choice([socket.AF_UNIX, socket.AF_INET]))
        peer.setblocking(False)
        peers.append(peer)
        streams.append(stream)
        if rng.random() < 0.7:
            fibres.append(lane.spawn(user(stream)))
        else:
            stream.handler = lambda: stream.close() if rng.random() < 0.2 else stream.recv(10)
        if rng.random() < 0.3:
            stream.deadline = lane.now + rng.random() * 0.05
        if rng.random() < 0.3:
            stream.limit_rate(rng.choice([1000, 1_000_000]))

    async with running() as lane:
        for _ in range(1500):
            roll = rng.random()
            peer = rng.choice(peers) if peers else None
            if peer is None or (roll < 0.15 and len(peers) < 100):
                open_one()
            elif roll < 0.5:
                try:
                    peer.send(b"a" * rng.choice([1, 50, 5000]))
                    peer.recv(rng.choice([1, 100_000]))
                except OSError:
                    pass
            elif roll < 0.6:
                peers.remove(peer)
                peer.close()
            elif roll < 0.7:
                rng.choice(streams).close(reset=rng.random() < 0.5)
            elif fibres:
                rng.choice(fibres).wake() if roll < 0.8 else rng.choice(fibres[-20:]).cancel()
            if rng.random() < 0.2:
                await trio.sleep(0)
    assert all(stream.closed for stream in streams)
    assert all(fibre.done for fibre in fibres)
    for peer in peers:
        peer.close()
