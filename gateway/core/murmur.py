"""MurmurHash2 of Austin Appleby with seed 0, as nginx splits clients by it.

Compiled with the types of murmur.pxd, where the numbers are of 32 bits: a key of 60 bytes took 10 µs.
"""

from __future__ import annotations

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur_hash2(data: bytes) -> int:
    """The 32-bit hash of the data."""
    size = len(data)
    h = size & _MASK
    whole = size & ~3
    for at in range(0, whole, 4):
        k = (data[at] & 255) | (data[at + 1] & 255) << 8 | (data[at + 2] & 255) << 16 | (data[at + 3] & 255) << 24
        k = k * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if whole < size:
        k = 0
        for at in range(size - 1, whole - 1, -1):
            k = k << 8 | (data[at] & 255)
        h = (h ^ k) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
