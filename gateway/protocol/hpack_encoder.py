"""Blocks of fields in HPACK (RFC 7541), written as nginx writes them: nothing refers to what was sent before.

So a field is the same bytes on every connection, and those that come again and again are put together once. What a
client keeps of earlier heads is not made use of: these few bytes cost an encoder with a table ten times the work.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

_HUFFMAN: Final = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
# Name and value, and the first of each name, → their place in the static table.
_STATIC: Final = {(name, value): i for i, (name, value) in enumerate(HeaderTable.STATIC_TABLE, 1)}
_STATIC_NAMES: Final = {name: i for i, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}

# A field of this size and less is kept once it was put together.
_KEPT: Final = 256


def encode(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The block of these fields, whose names are in lower case."""
    return b"".join([_kept(name, value) if len(value) <= _KEPT else _field(name, value) for name, value in fields])


def _field(name: bytes, value: bytes) -> bytes:
    known = _STATIC.get((name, value))
    if known is not None:
        return _integer(0x80, 7, known)
    index = _STATIC_NAMES.get(name)
    if index is not None:
        return _integer(0, 4, index) + _string(value)  # literal, not indexed
    return b"\0" + _string(name) + _string(value)


_kept = lru_cache(maxsize=2048)(_field)


def _string(text: bytes) -> bytes:
    """In Huffman's code where that is shorter."""
    coded: bytes = _HUFFMAN.encode(text)
    if len(coded) < len(text):
        return _integer(0x80, 7, len(coded)) + coded
    return _integer(0, 7, len(text)) + text


def _integer(pattern: int, prefix: int, value: int) -> bytes:
    """RFC 7541, 5.1."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((pattern | value,))
    value -= most
    octets = [pattern | most]
    while value >= 128:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
