"""Matching by the system's libpcre2, found at run time: memory for what matched stays with its pattern."""

from typing import Self

class Pattern:
    """A compiled pattern. LookupError: no library, or one that does not take this pattern."""

    def __new__(cls, pattern: bytes, options: int) -> Self: ...
    def find(self, subject: bytes) -> bytes | int | None:
        """Where the groups stand, for group() and span(); None for no match; else libpcre2's error."""

def group(subject: bytes, spans: bytes, number: int) -> bytes | None:
    """The bytes of a group; None when it took no part, or there is none of that number."""

def span(spans: bytes, number: int) -> tuple[int, int]:
    """Where a group stands; (-1, -1) when it took no part."""
