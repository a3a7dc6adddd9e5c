"""Pieces of a body on their way out: bytes in memory, or slices of a file."""

from __future__ import annotations

from gateway._fast.stream import FileSlice

Piece = bytes | FileSlice

__all__ = ["FileSlice", "Piece", "length", "total"]


def length(piece: Piece) -> int:
    return len(piece) if piece.__class__ is bytes else piece.length  # type: ignore[union-attr]


def total(pieces: list[Piece]) -> int:
    """The number of bytes that these pieces stand for."""
    count = 0
    for piece in pieces:
        count += length(piece)
    return count
