"""Pieces of a body on their way out: bytes in memory, or slices of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from gateway._fast.file_slice import FileSlice

_READ: Final = 65536  # of a file's slice at a time

Piece = bytes | FileSlice


class Inserted:
    """Stands among the pieces for what something else will put there; filters pass it on as it is.

    Only those filters meet one that stand between what inserts it and what takes it out again.
    """

    __slots__ = ()
    length = 0

    @property
    def piece(self) -> Piece:
        return cast("Piece", self)


__all__ = ["FileSlice", "Inserted", "Piece", "data_of", "in_files", "length", "loaded", "part", "total"]


def length(piece: Piece) -> int:
    return len(piece) if piece.__class__ is bytes else piece.length  # type: ignore[union-attr]


def part(piece: Piece, start: int, size: int) -> Piece:
    """So many bytes of a piece from this place on."""
    if piece.__class__ is bytes:
        return piece[start : start + size]
    return FileSlice(piece.fd, piece.offset + start, size, piece.owner)  # type: ignore[union-attr]


def total(pieces: list[Piece]) -> int:
    """The number of bytes that these pieces stand for."""
    count = 0
    for piece in pieces:
        count += length(piece)
    return count


def in_files(pieces: list[Piece]) -> int:
    """How many of these bytes are not in memory."""
    count = 0
    for piece in pieces:
        if piece.__class__ is FileSlice:
            count += piece.length
    return count


def loaded(pieces: list[Piece]) -> Iterator[bytes | Inserted]:
    """The same with what lies in files read part by part. Errors: OSError, also for a file too short."""
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


def data_of(pieces: list[Piece]) -> Iterator[bytes]:
    """What these pieces stand for, for who meets no Inserted. Errors: OSError."""
    return cast("Iterator[bytes]", loaded(pieces))
