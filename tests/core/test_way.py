from __future__ import annotations

from typing import Any

from gateway.core.way import Way


class Source:
    """A stream that is read."""

    def __init__(self, *pieces: bytes | OSError | None) -> None:
        self.pieces = list(pieces)
        self.asked: list[int] = []

    @property
    def readable(self) -> bool:
        return bool(self.pieces)

    def recv(self, limit: int) -> bytes | None:
        self.asked.append(limit)
        piece = self.pieces.pop(0)
        if isinstance(piece, OSError):
            raise piece
        if piece is not None and len(piece) > limit:
            self.pieces.insert(0, piece[limit:])
            return piece[:limit]
        return piece


class Target:
    """A stream that is written to; nothing leaves it."""

    def __init__(self) -> None:
        self.data = b""
        self.gone = 0

    @property
    def pending(self) -> int:
        return len(self.data) - self.gone

    def send(self, data: bytes) -> int:
        self.data += data
        return self.pending


def way(source: Source, target: Target, room: int = 10, rate: int = 0) -> Way:
    one: Any = source
    other: Any = target
    return Way(one, other, room, rate, 100.0)


def test_no_more_than_its_room() -> None:
    source, target = Source(b"0123456789abc"), Target()
    made = way(source, target)
    assert made.move(100.0) is None
    assert target.data == b"0123456789" and not made.ended
    target.gone = 4
    made.move(100.0)
    assert target.data == b"0123456789abc" and made.moved == 13


def test_its_end() -> None:
    source, target = Source(b"a", b""), Target()
    made = way(source, target)
    made.move(100.0)
    assert made.ended and not made.drained
    target.gone = 1
    assert made.drained


def test_an_error_is_an_end() -> None:
    made = way(Source(ConnectionResetError(104, "")), Target())
    error = made.move(100.0)
    assert error is not None and error.errno == 104 and made.ended


def test_rate() -> None:
    source, target = Source(b"x" * 30), Target()
    made = way(source, target, 100, 10)
    made.move(100.0)
    assert target.data == b"x" * 10 and made.delayed_until == 101.0
    made.move(100.5)
    assert len(target.data) == 10
    made.move(101.0)
    assert len(target.data) == 20
