"""Pieces of a body on their way out: bytes in memory, or slices of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway._fast.file_slice import FileSlice

Piece = bytes | FileSlice

__all__ = ["FileSlice", "Piece", "data_of", "length", "total"]

_READ: Final = 65536  # of a file's slice at a time


def length(piece: Piece) -> int:
    return len(piece) if piece.__class__ is bytes else piece.length  # type: ignore[union-attr]


def total(pieces: list[Piece]) -> int:
    """The number of bytes that these pieces stand for."""
    count = 0
    for piece in pieces:
        count += length(piece)
    return count


def data_of(pieces: list[Piece]) -> Iterator[bytes]:
    """What these pieces stand for, slices of files read part by part. Errors: OSError, also for a file too short."""
    for piece in pieces:
        if isinstance(piece, FileSlice):
            at = 0
            while at < piece.length:
                data = piece.read(at, min(_READ, piece.length - at))
                if not data:
                    raise OSError(0, "the file became shorter while it was read")
                at += len(data)
                yield data
        else:
            yield piece
