"""handled: a stream's share of a turn, and that it comes back when the others had theirs."""

from __future__ import annotations

import socket
import struct
import time

import pytest
import trio

from gateway.core.lane import Lane
from tests.lanes import pair, running, until

BUDGET = 256 * 1024  # bytes that a stream may take before the others have their turn
READ = 1024  # what a read counts at least


class Fed:
    """Reads in a loop from a peer that has sent more each time, so that the source never runs dry."""

    def __init__(self, lane: Lane, size: int = 50_000) -> None:
        self.stream, self.peer = pair(lane)
        self.size = size
        self.reads: list[int] = []  # of each call
        self.feeding = True
        self.peer.send(bytes(size))
        self.stream.handler = self.read

    def read(self) -> None:
        self.reads.append(0)
        while self.stream.readable and self.stream.recv(self.size):
            self.reads[-1] += 1
            if self.feeding:
                self.peer.send(bytes(self.size))


@pytest.mark.parametrize("size", [50_000, READ, 1])
async def test_who_never_stops_sending_leaves_the_others_their_turn(size: int) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        other, its_peer = pair(lane)
        other.recv()
        fed = Fed(lane, size)
        turns: list[int] = []

        def hear() -> None:
            assert other.recv() == b"?"
            turns.append(len(fed.reads))
            if len(turns) < 10:
                its_peer.send(b"?")
            fed.feeding = len(turns) < 10

        other.handler = hear
        its_peer.send(b"?")
        await until(lambda: len(turns) == 10 and not fed.stream.readable and not fed.stream.spent)
        assert max(fed.reads) == -(-BUDGET // max(size, READ))
        # each of the two had its turn after the other
        assert turns[-1] - turns[0] in (8, 9, 10)
        assert fed.stream.received == size * sum(fed.reads)
        for peer in (fed.peer, its_peer):
            peer.close()


async def test_a_turn_that_takes_long_is_cut_short() -> None:
    async with running() as lane:
        fed = Fed(lane, 100)
        recv = fed.stream.recv

        def slow() -> None:
            fed.reads.append(0)
            while fed.stream.readable and recv(100):
                fed.reads[-1] += 1
                time.sleep(0.005)
                fed.peer.send(bytes(100))

        fed.stream.handler = slow
        await until(lambda: len(fed.reads) > 5)
        assert max(fed.reads) <= 2
        fed.stream.close()
        fed.peer.close()


async def test_nor_is_more_sent_in_one_than_goes_at_once() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        stream.recv()
        sent: list[int] = []

        def answer() -> None:
            assert stream.recv() in (b"?", None)
            if not sent:
                time.sleep(0.005)
                for _ in range(200):
                    stream.write(bytes(480))
                stream.flush()
            sent.append(stream.sent)

        stream.handler = answer
        peer.send(b"?")
        await until(lambda: sent and not stream.pending)
        assert sent[0] == 64 * 480  # the pieces of one system call, each too large to be joined with the next
        assert stream.sent == 200 * 480
        peer.close()


async def test_a_stream_that_had_its_share_says_that_nothing_is_there() -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane)
        told: list[bool] = []
        peer.send(b"abc")
        assert not stream.spend(BUDGET - 1)
        assert stream.recv(1) == b"a"
        assert stream.spent and not stream.readable
        assert stream.recv() is None and stream.spend(1)
        stream.renew()
        assert stream.readable and stream.recv(1) == b"b"
        # work on what was read before counts as well, and there is a next turn also where nothing more came
        assert stream.recv() == b"c" and not stream.readable
        assert stream.spend(BUDGET)
        stream.handler = lambda: told.append(stream.spent)
        await until(lambda: told)
        assert told == [False] and stream.recv() is None
        peer.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_the_end_is_heard_of_by_a_stream_that_had_its_share(reset: bool) -> None:
    async with running(Lane(clock=trio.current_time)) as lane:
        stream, peer = pair(lane, socket.AF_INET)
        stream.recv()
        peer.send(b"last")
        told: list[tuple[bool, bool]] = []
        stream.handler = lambda: told.append((stream.peer_closed, stream.readable))
        assert stream.spend(BUDGET)
        if reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await until(lambda: stream.readable and stream.peer_closed)
        assert told[-1] == (True, True)
        if reset:
            with pytest.raises(ConnectionResetError):
                while stream.recv():
                    pass
        else:
            assert [stream.recv(), stream.recv()] == [b"last", b""]
