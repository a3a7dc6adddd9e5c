"""The one place where configuration text (str) and bytes on the wire meet."""

from __future__ import annotations


def to_bytes(text: str) -> bytes:
    """Give the bytes that the text was written with."""
    return text.encode("utf-8", "surrogateescape")


def for_system(text: str) -> str:
    """The text, which names a file or an account. ValueError for one that the system would not see whole."""
    if "\0" in text:
        raise ValueError(f"there is a NUL byte in {text!r}")
    return text


def to_str(data: bytes) -> str:
    """Decode UTF-8; bytes that are none survive as lone surrogates and come back from to_bytes()."""
    return data.decode("utf-8", "surrogateescape")
