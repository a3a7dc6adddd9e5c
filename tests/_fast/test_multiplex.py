"""_fast.multiplex and demultiplex: substreams over a socket pair whose other end is read and written frame by frame."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from struct import unpack

import h2.config
import h2.connection
import h2.events
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway._fast.demultiplex import Demultiplexer
from gateway._fast.multiplex import WINDOW, Multiplexer, Substream
from gateway.core.lane import Lane
from tests import http2_frames as wire
from tests.lanes import pair, running, until

ONE = wire.headers(1, b"\x82", 0, 16384)  # as a substream's user writes it
ANSWER = b"\x88"
Frame = tuple[int, int, int, bytes]  # type, flags, stream, payload


def frames_of(data: bytes) -> list[Frame]:
    found: list[Frame] = []
    while data:
        high, low, kind, flags, number = unpack(">HBBBI", data[:9])
        size = high << 8 | low
        found.append((kind, flags, number, data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def data_frame(number: int, payload: bytes, flags: int = 0) -> bytes:
    return wire.frame_head(len(payload), wire.DATA, flags, number) + payload


class Peer:
    """A multiplexer, and the socket at its other end."""

    def __init__(self, lane: Lane) -> None:
        stream, self.socket = pair(lane)
        self.socket.setblocking(False)
        self.mux: Multiplexer = Demultiplexer(stream)
        self.mux.start()
        self.said = b""  # by the multiplexer, after its preface
        self.told: dict[Substream, int] = {}

    def member(self) -> Substream:
        found: list[Substream] = []

        def told() -> None:
            self.told[found[0]] = self.told.get(found[0], 0) + 1

        made = Substream(self.mux, told)
        found.append(made)
        self.mux.add(made)
        self.mux.admit(made)
        return made

    def begun(self, count: int) -> list[Substream]:
        members = [self.member() for _ in range(count)]
        for one in members:
            one.send(ONE)
        return members

    def heard(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(1 << 20):
                self.said += data
        return self.said

    def frames(self) -> list[Frame]:
        """All that was said but the preface, our SETTINGS and the connection's window."""
        return frames_of(self.heard()[len(wire.PREFACE) :])[2:]

    def of(self, kind: int) -> list[Frame]:
        return [frame for frame in self.frames() if frame[0] == kind]

    def send(self, data: bytes) -> None:
        self.socket.setblocking(True)
        self.socket.sendall(data)
        self.socket.setblocking(False)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    async with running() as lane:
        made = Peer(lane)
        try:
            yield made
        finally:
            made.mux.stopped()
            made.mux.stream.close()
            made.socket.close()


async def test_streams_have_numbers_as_they_begin() -> None:
    async with peer() as found:
        first, second = found.member(), found.member()
        second.send(ONE)
        first.send(ONE + data_frame(1, b"x", wire.END_STREAM))
        await until(lambda: len(found.frames()) == 3)
        assert (first.number, second.number) == (3, 1)
        assert [frame[:3] for frame in found.frames()] == [(1, 4, 1), (1, 4, 3), (0, 1, 3)]
        assert sorted(found.mux.streams) == [1, 3] and found.mux.members == {first, second}


async def test_the_preface_says_what_a_stream_may_be_sent() -> None:
    async with peer() as found:
        await until(lambda: len(found.heard()) >= len(wire.PREFACE) + 27 + 13)
        kind, _, _, payload = frames_of(found.said[len(wire.PREFACE) :])[0]
        assert kind == wire.SETTINGS and payload[-6:] == b"\0\4" + WINDOW.to_bytes(4, "big")


async def test_what_is_the_connections_stays_here() -> None:
    async with peer() as found:
        [one] = found.begun(1)
        one.send(wire.settings(()) + wire.SETTINGS_ACK + wire.ping_ack(bytes(8)) + wire.window_update(1, 5))
        ping = wire.frame_head(8, wire.PING, 0, 0) + b"12345678"
        found.send(wire.settings(((wire.MAX_CONCURRENT_STREAMS, 7),)) + ping)
        await until(lambda: found.of(wire.PING))
        assert [frame[:2] for frame in found.frames()] == [(1, 4), (wire.SETTINGS, wire.ACK), (wire.PING, wire.ACK)]
        assert found.mux.settled and found.mux.peak == 7 and one.recv() is None


async def test_each_gets_its_frames_as_stream_one() -> None:
    async with peer() as found:
        members = found.begun(3)
        for i in (5, 1, 3):
            found.send(wire.headers(i, ANSWER, 0, 16384) + data_frame(i, b"%d" % i, wire.END_STREAM))
        await until(lambda: len(found.told) == 3 and all(one.readable for one in members))
        for i, one in zip((1, 3, 5), members, strict=True):
            assert one.recv() == wire.headers(1, ANSWER, 0, 16384) + data_frame(1, b"%d" % i, wire.END_STREAM)
            assert one.recv() is None
            one.close()
        await trio.sleep(0)
        assert not found.of(wire.RST_STREAM) and not found.mux.members


async def test_a_limit_is_kept() -> None:
    async with peer() as found:
        [one] = found.begun(1)
        found.send(data_frame(1, b"0123456789"))
        await until(lambda: one.readable)
        whole = data_frame(1, b"0123456789")
        assert [one.recv(9), one.recv(4)] == [whole[:9], whole[9:13]] and one.readable
        assert one.recv(100) == whole[13:] and one.recv() is None


async def test_whoever_leaves_early_cancels() -> None:
    async with peer() as found:
        first, second = found.begun(2)
        first.close()
        await until(lambda: found.of(wire.RST_STREAM))
        assert found.of(wire.RST_STREAM) == [(wire.RST_STREAM, 0, 1, (8).to_bytes(4, "big"))]
        # what was under way for it is nobody's
        found.send(data_frame(1, b"late") + wire.rst_stream(1, 0) + wire.window_update(1, 1) + data_frame(3, b"x"))
        await until(lambda: second.readable)
        assert second.recv() == data_frame(1, b"x")


async def test_a_window_is_given_back_as_it_is_taken() -> None:
    async with peer() as found:
        slow, quick = found.begun(2)
        part = data_frame(1, bytes(16384))
        for _ in range(WINDOW // 16384):
            found.send(part)
            await trio.sleep(0)
        await until(lambda: found.told.get(slow, 0) > 0)
        for _ in range(2 * WINDOW // 16384):
            found.send(data_frame(3, bytes(16384)))
            await until(lambda: quick.readable)
            while quick.recv():
                pass
        assert {frame[2] for frame in found.of(wire.WINDOW_UPDATE)} == {3}
        taken = 0
        while data := slow.recv(20000):
            taken += len(data)
            await trio.sleep(0)  # its share of a turn
        assert taken == WINDOW + 9 * WINDOW // 16384
        await until(lambda: any(frame[2] == 1 for frame in found.of(wire.WINDOW_UPDATE)))
        given = sum(int.from_bytes(frame[3], "big") for frame in found.of(wire.WINDOW_UPDATE) if frame[2] == 1)
        assert WINDOW // 2 <= given <= WINDOW


async def test_the_connections_window_is_shared() -> None:
    async with peer() as found:
        members = found.begun(3)
        found.send(wire.settings(((wire.INITIAL_WINDOW_SIZE, 1 << 20),)))
        await until(lambda: found.mux.settled)
        for one in members:
            one.send(b"".join(data_frame(1, bytes(16384)) for _ in range(4)))
        await until(lambda: sum(len(frame[3]) for frame in found.of(wire.DATA)) == wire.DEFAULT_WINDOW)
        assert sum(one.pending for one in members) == 12 * 16384 - wire.DEFAULT_WINDOW
        found.send(wire.window_update(0, 1 << 20))
        await until(lambda: not any(one.pending for one in members))
        for one in members:
            one.send(data_frame(1, b"", wire.END_STREAM))
        await until(lambda: len([frame for frame in found.of(wire.DATA) if frame[1]]) == 3)
        for i in (1, 3, 5):
            assert sum(len(frame[3]) for frame in found.of(wire.DATA) if frame[2] == i) == 4 * 16384


async def test_a_streams_window_holds_it_alone() -> None:
    async with peer() as found:
        first, second = found.begun(2)
        found.send(wire.settings(((wire.INITIAL_WINDOW_SIZE, 10),)))
        await until(lambda: found.mux.settled)
        first.send(data_frame(1, bytes(25), wire.END_STREAM))
        second.send(data_frame(1, bytes(10), wire.END_STREAM))
        await until(lambda: len(found.of(wire.DATA)) == 2)
        assert first.pending == 15 and second.pending == 0
        found.send(wire.window_update(1, 100))
        await until(lambda: len(found.of(wire.DATA)) == 3)
        assert found.of(wire.DATA)[-1] == (0, wire.END_STREAM, 1, bytes(15)) and first.pending == 0


async def test_goaway_refuses_what_is_above() -> None:
    async with peer() as found:
        first, second = found.begun(2)
        third = Substream(found.mux)
        found.mux.add(third)
        found.send(wire.goaway(1, 0) + data_frame(1, b"on"))
        await until(lambda: first.readable)
        assert found.mux.closing and not first.refused and second.refused and third.refused
        assert first.recv() == data_frame(1, b"on") and second.recv() == wire.goaway(0, 0)
        second.close()
        await trio.sleep(0.01)
        assert not found.of(wire.RST_STREAM)


async def test_the_end_is_everybodys() -> None:
    async with peer() as found:
        first, second = found.begun(2)
        found.send(data_frame(1, b"part"))
        found.socket.shutdown(socket.SHUT_WR)
        await until(lambda: first.peer_closed)
        assert first.recv() == data_frame(1, b"part") and first.recv() == b"" and second.recv() == b""
        assert first.send(data_frame(1, b"x")) == 0


@pytest.mark.parametrize(
    "data",
    [
        wire.frame_head(16385, wire.DATA, 0, 1),
        data_frame(0, b"x"),
        data_frame(2, b"x"),
        data_frame(9, b"x"),
        wire.rst_stream(9, 0),
        wire.frame_head(4, wire.PUSH_PROMISE, 4, 1) + bytes(4),
        wire.frame_head(1, wire.HEADERS, 0, 1) + ANSWER + data_frame(1, b"x"),
        wire.frame_head(1, wire.CONTINUATION, 4, 1) + ANSWER,
        wire.frame_head(5, wire.SETTINGS, 0, 0) + bytes(5),
        wire.frame_head(0, wire.SETTINGS, 0, 1),
        wire.settings(((wire.INITIAL_WINDOW_SIZE, 1 << 31),)),
        wire.frame_head(7, wire.PING, 0, 0) + bytes(7),
        wire.frame_head(7, wire.GOAWAY, 0, 0) + bytes(7),
        wire.window_update(0, 0),
        wire.window_update(0, wire.MAX_WINDOW),
        wire.settings(()) * 1001,
        b"".join(data_frame(1, bytes(16384)) for _ in range(WINDOW // 16384 + 1)),
        wire.frame_head(16384, wire.HEADERS, 0, 1)
        + bytes(16384)
        + (wire.frame_head(16384, wire.CONTINUATION, 0, 1) + bytes(16384)) * 64,
    ],
)
async def test_what_is_no_http2_ends_the_connection(data: bytes) -> None:
    async with peer() as found:
        [one] = found.begun(1)
        sender = trio.socket.from_stdlib_socket(found.socket)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await trio.SocketStream(sender).send_all(data)
        await until(lambda: one.peer_closed)
        with pytest.raises(OSError, match="Protocol error"), trio.fail_after(30):
            while True:
                one.recv()
                await trio.sleep(0)
        with contextlib.suppress(ConnectionResetError):
            assert found.of(wire.GOAWAY) and found.mux.closing


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[tuple[int, bytes]], list[int]]:
    """DATA of five streams in any order, and where what is sent is cut."""
    parts = draw(st.lists(st.tuples(st.integers(0, 4), st.binary(min_size=1, max_size=3000)), max_size=30))
    return parts, draw(st.lists(st.integers(1, 5000), max_size=20))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations())
def test_any_frames_in_any_parts_both_ways(drawn: tuple[list[tuple[int, bytes]], list[int]]) -> None:
    """What five streams send h2 hears of each, and what h2 answers each of them hears."""
    parts, cuts = drawn
    wanted = [b"".join(data for number, data in parts if number == i) for i in range(5)]

    async def run() -> None:
        async with peer() as found:
            members = found.begun(5)
            server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
            server.config.validate_inbound_headers = False
            server.initiate_connection()
            for number, data in parts:
                members[number].send(data_frame(1, data))
            for one in members:
                one.send(data_frame(1, b"", wire.END_STREAM))
            came = [b""] * 5
            ended: set[int] = set()
            at = 0
            with trio.fail_after(30):
                while len(ended) < 5:
                    for event in server.receive_data(found.heard()[at:]):
                        if isinstance(event, h2.events.DataReceived):
                            came[event.stream_id // 2] += event.data
                            server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        elif isinstance(event, h2.events.StreamEnded):
                            ended.add(event.stream_id)
                    at = len(found.said)
                    found.send(server.data_to_send())
                    await trio.sleep(0)
            assert came == wanted
            answer = b"".join(data_frame(2 * number + 1, data) for number, data in parts)
            for cut in cuts:
                found.send(answer[:cut])
                answer = answer[cut:]
                await trio.sleep(0)
            found.send(answer)
            heard = [b""] * 5
            with trio.fail_after(30):
                while True:
                    for i, one in enumerate(members):
                        heard[i] += one.recv() or b""
                    if all(is_whole(data) for data in heard) and [payloads(data) for data in heard] == wanted:
                        break
                    await trio.sleep(0)

    trio.run(run)


def payloads(data: bytes) -> bytes:
    return b"".join(frame[3] for frame in frames_of(data) if frame[0] == wire.DATA)


def is_whole(data: bytes) -> bool:
    """Whether no frame is cut at its end."""
    at = 0
    while at + 9 <= len(data):
        at += 9 + int.from_bytes(data[at : at + 3], "big")
    return at == len(data)
