"""Pieces of a body in a row, taken from as many bytes at a time as may be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.pieces import length

if TYPE_CHECKING:
    from gateway.core.pieces import Piece

# A number of C's, see piece_queue.pxd.
Count = int


class PieceQueue:
    """Compiled with the types of piece_queue.pxd."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What __init__ does, as a call of C's."""
        self.pieces: list[Piece] = []
        self.offset = 0  # what is taken of the first one
        self.size = 0  # bytes that are left

    def add(self, piece: Piece) -> None:
        size: int = length(piece)
        if size:
            self.pieces.append(piece)
            self.size += size

    def clear(self) -> None:
        self.pieces.clear()
        self.size = self.offset = 0

    def take(self, room: Count) -> bytes | None:
        """So many bytes, or all that are left; None if a file has become shorter than was promised."""
        pieces = self.pieces
        piece = pieces[0]
        if piece.__class__ is bytes and not self.offset and len(piece) <= room:
            whole: bytes = piece
            if len(whole) == self.size or len(whole) == room:
                del pieces[0]
                self.size -= len(whole)
                return whole
        parts = []
        while room and pieces:
            piece = pieces[0]
            if piece.__class__ is bytes:
                part: bytes = piece[self.offset : self.offset + room]
            else:
                part = piece.read(self.offset, min(room, piece.length - self.offset))  # type: ignore[union-attr]
                if not part:
                    return None
            parts.append(part)
            size = len(part)
            room -= size
            self.size -= size
            self.offset += size
            if self.offset == length(piece):
                del pieces[0]
                self.offset = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)


def new_queue() -> PieceQueue:
    """PieceQueue(), without what a call by name costs."""
    queue = PieceQueue.__new__(PieceQueue)
    queue.begin()
    return queue
