"""HTTP/3 on the wire (RFC 9114): the kinds of frames, the codes of errors, and QUIC's numbers."""

from __future__ import annotations

from typing import Final

DATA: Final = 0
HEADERS: Final = 1
# Of the control stream, of pushes, and of HTTP/2 (RFC 9114, 7.2).
FORBIDDEN: Final = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 13))

NO_ERROR: Final = 0x100
GENERAL_PROTOCOL_ERROR: Final = 0x101
INTERNAL_ERROR: Final = 0x102
STREAM_CREATION_ERROR: Final = 0x103
CLOSED_CRITICAL_STREAM: Final = 0x104
FRAME_UNEXPECTED: Final = 0x105
EXCESSIVE_LOAD: Final = 0x107
SETTINGS_ERROR: Final = 0x109
MISSING_SETTINGS: Final = 0x10A
REQUEST_REJECTED: Final = 0x10B
REQUEST_CANCELLED: Final = 0x10C
REQUEST_INCOMPLETE: Final = 0x10D


class Http3Error(Exception):
    """The connection is in error: `code` closes it."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def varint(value: int) -> bytes:
    """RFC 9000, 16."""
    if value < 0x40:
        return bytes((value,))
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if value < 0x40000000:
        return (value | 0x80000000).to_bytes(4, "big")
    return (value | 0xC000000000000000).to_bytes(8, "big")


def read_varint(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """The number at `at` and where it ends; None if it is not all here."""
    if at >= len(data):
        return None
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        return None
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size
