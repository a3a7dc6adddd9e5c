from __future__ import annotations

import errno
import gc
import socket
import struct
import sys
import weakref

import pytest
import trio

from gateway.core.lane import FileSlice, Lane, Stream, current_fibre, park
from tests.lanes import KINDS, Collector, Crashes, finished, pair, running, until

# -- input


@KINDS
async def test_the_handler_is_called_with_the_flags_set(kind: int) -> None:
    async with running() as lane:
        stream, peer = pair(lane, kind)
        events: list[object] = []
        stream.handler = lambda: events.append((stream.readable, stream.peer_closed, stream.recv()))
        peer.send(b"one")
        await until(lambda: events)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: len(events) == 2)
        assert events == [(True, False, b"one"), (True, True, b"")]
        assert stream.recv() == b""
        assert stream.send(b"the other half still works") == 0
        assert peer.recv(100) == b"the other half still works"
        assert (stream.received, stream.sent) == (3, 26)
        peer.close()


async def test_an_edge_before_anybody_waits_is_not_lost() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        assert stream.recv() is None and not stream.readable
        peer.send(b"early")
        await until(lambda: stream.readable)
        assert await finished(lane, stream.wait_readable) is True
        assert stream.recv() == b"early"
        peer.close()


async def test_what_one_read_leaves_is_still_readable() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        peer.send(b"0123456789")
        assert stream.recv(4) == b"0123" and stream.readable
        assert await finished(lane, stream.wait_readable) is True
        assert stream.recv(6) == b"456789" and stream.readable
        assert stream.recv(6) is None and not stream.readable
        # what is expected to be large is received into its place, however much of it comes
        for data in (b"x", b"y" * 20_000):
            peer.sendall(data)
            await until(lambda: stream.readable)
            assert stream.recv(20_001) == data and not stream.readable
        assert stream.recv(20_001) is None
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: stream.peer_closed)
        assert stream.recv(20_001) == b""
        peer.close()


@KINDS
async def test_input_and_end_in_one_go(kind: int) -> None:
    """The end came before the first read: a short read must not clear the flag, since no edge will follow."""
    async with running() as lane:
        stream, peer = pair(lane, kind)
        stream.recv()
        peer.send(b"all")
        peer.close()
        await until(lambda: stream.peer_closed)
        assert stream.recv() == b"all"
        assert stream.readable
        assert stream.recv() == b""


async def test_reset_is_raised_once() -> None:
    async with running() as lane:
        stream, peer = pair(lane, socket.AF_INET)
        told: list[int] = []
        stream.handler = lambda: told.append(stream.error)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await until(lambda: told)
        assert stream.error == errno.ECONNRESET and stream.readable
        with pytest.raises(ConnectionResetError):
            stream.recv()
        assert stream.recv() == b""
        assert stream.send(b"nothing") == 0 and stream.flush() == 0


async def test_wait_readable_ends_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        stream.recv()
        results: list[object] = []

        async def body() -> None:
            begin = lane.now
            results.append(await stream.wait_readable(lane.now + 3))
            results.append(lane.now - begin)
            peer.send(b"x")
            results.append(await stream.wait_readable(lane.now + 3))

        fibre = lane.spawn(body())
        await trio.sleep(10)
        assert fibre.done
        assert results == [False, pytest.approx(3), True]
        peer.close()


async def test_the_handler_comes_back_after_a_fibres_wait() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        calls: list[object] = []
        stream.handler = lambda: calls.append(stream.recv())
        fibre = lane.spawn(wait_for_input(stream, calls))
        peer.send(b"1")
        await until(lambda: fibre.done)
        peer.send(b"2")
        await until(lambda: len(calls) == 2)
        assert calls == [("fibre", b"1"), b"2"]
        peer.close()


async def wait_for_input(stream: Stream, calls: list[object]) -> None:
    await stream.wait_readable()
    calls.append(("fibre", stream.recv()))


async def test_wake_as_a_handler() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        got: list[bytes] = []

        async def body() -> None:
            fibre = current_fibre()
            assert fibre is not None
            stream.handler = fibre.wake
            while len(got) < 3:
                await park()
                if data := stream.recv():
                    got.append(data)

        fibre = lane.spawn(body())
        for n in range(3):
            peer.send(b"%d" % n)
            await until(lambda n=n: len(got) == n + 1)
        assert fibre.done
        peer.close()


async def test_two_fibres_cannot_wait_for_one_stream() -> None:
    crashes = Crashes()
    async with running(Lane(on_crash=crashes)) as lane:
        stream, peer = pair(lane)
        stream.recv()
        lane.spawn(wait_for_input(stream, []))
        assert lane.spawn(wait_for_input(stream, [])).done
        assert type(crashes[0][0]) is RuntimeError
        peer.close()


async def test_a_cancelled_wait_leaves_no_mark() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        calls: list[object] = []
        fibre = lane.spawn(wait_for_input(stream, calls))
        fibre.cancel()
        await until(lambda: fibre.done)
        stream.handler = lambda: calls.append(stream.recv())
        peer.send(b"x")
        await until(lambda: calls)
        assert calls == [b"x"]
        peer.close()


# -- closing


async def test_close_once_inside_its_own_handler() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        calls: list[int] = []

        def handler() -> None:
            calls.append(1)
            stream.close()
            stream.close()

        stream.handler = handler
        peer.send(b"x")
        await until(lambda: calls)
        assert stream.closed and stream.handler is None and lane.streams == 0
        with pytest.raises(OSError):
            stream.recv()
        stream.write(b"dropped")
        assert stream.flush() == 0
        peer.close()


async def test_close_wakes_the_fibre_that_waits() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        calls: list[object] = []

        async def body() -> None:
            calls.append(await stream.wait_readable())

        fibre = lane.spawn(body())
        stream.close()
        await until(lambda: fibre.done)
        assert calls == [True] and stream.closed
        peer.close()


async def test_close_with_reset() -> None:
    async with running() as lane:
        stream, peer = pair(lane, socket.AF_INET)
        stream.close(reset=True)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        peer.close()


async def test_a_crash_of_a_handler_closes_its_stream_only() -> None:
    crashes = Crashes()
    async with running(Lane(on_crash=crashes)) as lane:
        (bad, bad_peer), (good, good_peer) = pair(lane), pair(lane)
        bad.handler = lambda: 1 / 0
        got: list[object] = []
        good.handler = lambda: got.append(good.recv())
        bad_peer.send(b"x")
        await until(lambda: crashes)
        good_peer.send(b"x")
        await until(lambda: got)
        assert bad.closed and crashes[0][1] is bad
        bad_peer.close()
        good_peer.close()


async def test_closed_streams_are_let_go() -> None:
    class Owner:
        pass

    async with running() as lane:
        stream, peer = pair(lane)
        owner = Owner()
        stream.handler = lambda owner=owner: None
        stream.write(FileSlice(0, 0, 10, owner))
        seen = weakref.ref(stream), weakref.ref(owner)
        stream.close()
        del stream, owner
        gc.collect()
        assert [each() for each in seen] == [None, None]
        peer.close()


def test_an_idle_stream_is_small() -> None:
    lane = Lane()
    ours, theirs = socket.socketpair()
    stream = Stream(lane, ours.detach())
    assert sys.getsizeof(stream) < 300
    lane.end()
    lane.release()
    theirs.close()


# -- room


@KINDS
async def test_backpressure_and_wait_room(kind: int) -> None:
    async with running() as lane:
        stream, peer = pair(lane, kind)
        total = 8_000_000
        highest = 0
        done: list[int] = []

        async def producer() -> None:
            nonlocal highest
            for _ in range(total // 50_000):
                stream.write(b"z" * 50_000)
                highest = max(highest, stream.flush())
                await stream.wait_room(200_000)
            await stream.wait_room()
            done.append(stream.pending)
            stream.close()

        lane.spawn(producer())
        await until(lambda: stream.pending)
        assert not stream.writable and await finished(lane, lambda: stream_room_refused(stream))
        collector = Collector(peer)
        await until(lambda: collector.ended, 20)
        assert len(collector.data) == total and done == [0]
        assert highest < 300_000
        assert stream.sent == total


async def stream_room_refused(stream: Stream) -> bool:
    """A second fibre may not wait, the first one does."""
    try:
        await stream.wait_room()
    except RuntimeError:
        return True
    return False


async def test_while_a_fibre_waits_for_room_the_handler_hears_of_the_rest() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        told: list[tuple[bool, bool]] = []
        stream.handler = lambda: told.append((stream.readable, stream.peer_closed))

        async def body() -> None:
            stream.send(b"x" * 3_000_000)
            await stream.wait_room()

        fibre = lane.spawn(body())
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: told)
        assert told == [(True, True)] and not fibre.done
        collector = Collector(peer)
        await until(lambda: fibre.done)
        stream.close()
        await until(lambda: collector.ended)
