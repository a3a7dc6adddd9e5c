"""Pieces in a row: any way to take them gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.piece_queue import PieceQueue
from gateway.core.pieces import FileSlice


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_any_rooms_give_the_same(parts: list[bytes], rooms: list[int]) -> None:
    queue = PieceQueue()
    for part in parts:
        queue.add(part)
    found = b""
    turn = 0
    while queue.size:
        room = rooms[turn % len(rooms)]
        turn += 1
        left = queue.size
        taken = queue.take(room)
        assert taken is not None and len(taken) == min(room, left) and queue.size == left - len(taken)
        found += taken
    assert found == b"".join(parts)
    assert not queue.pieces


def test_a_piece_that_fits_is_not_copied() -> None:
    queue = PieceQueue()
    piece = bytes(100)
    queue.add(piece)
    assert queue.take(100) is piece


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        queue = PieceQueue()
        queue.add(b"ab")
        queue.add(FileSlice(file.fileno(), 2, 6, None))
        assert queue.take(4) == b"ab23" and queue.size == 4
        path.write_bytes(b"01234")
        assert queue.take(1) == b"4"
        assert queue.take(3) is None  # it has become shorter
        queue.clear()
        assert not queue.size and not queue.pieces
