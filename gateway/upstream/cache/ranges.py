"""`*_cache_max_range_offset`: how far into an answer a range may begin that is still asked for as a whole."""

from __future__ import annotations

from gateway.config.units import number_of


def begins_before(field: bytes, limit: int) -> bool:
    """Whether a field Range (RFC 9110, 14.2) begins before this offset in bytes; a suffix (`bytes=-5`) never does.

    A field that names no offset is none that a cache has to look at.
    """
    if len(field) < 7 or field[:6].lower() != b"bytes=":
        return True
    text = field[6:].lstrip(b" ")
    if text.startswith(b"-"):
        return False
    end = 0
    while text[end : end + 1].isdigit():
        end += 1
    return not end or number_of(text[:end]) < limit
