"""The one place where configuration text (str) and bytes on the wire meet."""

from __future__ import annotations


def to_bytes(text: str) -> bytes:
    """Give the bytes that the text was written with."""
    return text.encode("utf-8", "surrogateescape")


def to_str(data: bytes) -> str:
    """Decode UTF-8; bytes that are none survive as lone surrogates and come back from to_bytes()."""
    return data.decode("utf-8", "surrogateescape")
