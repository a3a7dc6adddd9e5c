"""The first bytes of an image: of which kind it is, and how large; JPEG, GIF, PNG and WebP as nginx knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

JPEG, GIF, PNG, WEBP = "jpeg", "gif", "png", "webp"
# An image is known by so many bytes; what is shorter is none.
LEAST: Final = 16
_PNG: Final = b"\x89PNG\r\n\x1a\n"
# JPEG's start of frame, as far as it is not of arithmetic coding.
_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB))


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels; `extra` is how much a JPEG has beside its pixels (EXIF and the like)."""

    width: int
    height: int
    extra: int = 0


def kind_of(data: bytes) -> str | None:
    """None: no image that is known."""
    if len(data) < LEAST:
        return None
    if data.startswith(b"\xff\xd8"):
        return JPEG
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if data.startswith(_PNG):
        return PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    return None


def size_of(kind: str, data: bytes) -> Size | None:
    """None: it does not say."""
    if kind == JPEG:
        return _jpeg(data)
    if kind == GIF:
        return Size(_little(data[6:8]), _little(data[8:10])) if len(data) >= 10 else None
    if kind == PNG:
        return Size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) if len(data) >= 24 else None
    return _webp(data)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _jpeg(data: bytes) -> Size | None:
    width = height = extra = 0
    at, end = 2, len(data) - 10
    while at < end:
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
            continue
        if marker in _FRAMES and not (width and height):
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xE1 <= marker <= 0xEF:
            extra += length
        at += 1 + length if length else 2
    return Size(width, height, extra) if width and height else None


def _webp(data: bytes) -> Size | None:
    if len(data) < 30 or data[12:15] != b"VP8":
        return None
    form = data[15:16]
    if form == b" ":
        if data[20] & 1 or data[23:26] != b"\x9d\x01\x2a":
            return None
        return Size(_little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF)
    if form == b"L":
        if data[20] != 0x2F:
            return None
        bits = _little(data[21:25])
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if form == b"X":
        return Size(_little(data[24:27]) + 1, _little(data[27:30]) + 1)
    return None
