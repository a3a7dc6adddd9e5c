from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from gateway.core.lane import Lane, Stream
from gateway.core.way import Way


class Ends:
    """Two streams of a lane that nobody turns, and who is at their other ends: `says` is read, `hears` written to."""

    def __init__(self) -> None:
        self.lane = Lane()
        self.says, source = socket.socketpair()
        self.hears, target = socket.socketpair()
        self.hears.setblocking(False)
        for end in (source, target):
            end.setblocking(False)
        target.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.source = Stream(self.lane, source.detach())
        self.target = Stream(self.lane, target.detach())

    def way(self, room: int = 10, rate: int = 0) -> Way:
        return Way(self.source, self.target, room, rate, 100.0)

    def move(self, way: Way, now: float, upto: int) -> None:
        """Until so much has passed; a turn of the lane lets it go on when its share of one is used up."""
        for _ in range(1000):
            assert way.move(now) is None
            if way.moved >= upto:
                break
            self.lane.turn()

    def heard(self) -> bytes:
        try:
            return self.hears.recv(1 << 20)
        except BlockingIOError:
            return b""


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.says.close()
    made.hears.close()
    made.lane.end()
    made.lane.release()


def test_what_is_there(ends: Ends) -> None:
    way = ends.way()
    ends.says.sendall(b"0123456789abc")
    ends.move(way, 100.0, 13)
    assert ends.heard() == b"0123456789abc" and way.moved == 13 and not way.ended


def test_no_more_than_its_room(ends: Ends) -> None:
    way = ends.way(room=20_000)
    filler = b"x" * 4096
    while ends.target.writable:
        ends.target.send(filler)
    waits = ends.target.pending
    ends.says.sendall(b"y" * 60_000)
    ends.move(way, 100.0, 20_000 - waits)
    # as much as fits beside what waited already, and not a byte beyond
    assert way.moved == 20_000 - waits and ends.target.pending == 20_000


def test_its_end(ends: Ends) -> None:
    way = ends.way()
    ends.says.sendall(b"a")
    ends.says.shutdown(socket.SHUT_WR)
    ends.move(way, 100.0, 1)
    ends.lane.turn()  # sees the end
    way.move(100.0)
    assert way.ended and way.drained() and ends.heard() == b"a"


def test_an_end_is_drained_once_all_has_left(ends: Ends) -> None:
    way = ends.way(room=20_000)
    while ends.target.writable:
        ends.target.send(b"x" * 4096)
    ends.says.shutdown(socket.SHUT_WR)
    way.move(100.0)
    assert way.ended and not way.drained()


def test_an_error_is_an_end() -> None:
    lane = Lane()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        says = socket.create_connection(listener.getsockname())
        source, _ = listener.accept()
    hears, target = socket.socketpair()
    for end in (source, target):
        end.setblocking(False)
    way = Way(Stream(lane, source.detach()), Stream(lane, target.detach()), 10, 0, 100.0)
    says.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    says.close()  # with a reset
    error = way.move(100.0)
    assert error is not None and error.errno == 104 and way.ended
    hears.close()
    lane.end()
    lane.release()


def test_rate(ends: Ends) -> None:
    way = ends.way(100, 10)
    ends.says.sendall(b"x" * 30)
    ends.move(way, 100.0, 10)
    assert way.moved == 10 and way.delayed_until > 100
    way.move(100.5)
    assert way.moved == 10
    ends.move(way, 101.5, 20)
    assert way.moved == 20


def test_a_rate_without_end(ends: Ends) -> None:
    """More than any number of C's can count in a second."""
    way = ends.way(100, 1 << 62)
    ends.says.sendall(b"x" * 30)
    ends.move(way, 1e9, 30)
    assert way.moved == 30
