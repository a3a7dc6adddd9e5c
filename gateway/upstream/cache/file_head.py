"""What stands before the body in a cache's file: numbers, the key for who greps for it, and the answer's head.

The head is written as HTTP/1.1 whatever protocol it came by: one parser reads them all.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from gateway.http.status import status_line
from gateway.upstream.exchange.response import UpstreamHead

# In its first bytes the version: a file of another one is no file of ours.
VERSION: Final = b"gateway\x01"
ETAG_MOST: Final = 128
VARY_MOST: Final = 128
# A field keeps its place whatever its value is: a head is written over when an answer was found to be still good.
_LAYOUT: Final = struct.Struct("<8sIIIqqqqqBB128s128s16s")
SIZE: Final = _LAYOUT.size
_KEY: Final = b"\nKEY: "


class FileHead(NamedTuple):
    """The numbers. Times are seconds since the epoch; `updating` and `error` are how long it may be served stale."""

    version: bytes
    crc: int
    start: int  # of the answer's head
    body: int  # start of the body; the same: an answer of HTTP/0.9, without a head
    valid: int
    updating: int
    error: int
    last_modified: int
    date: int
    etag: bytes
    vary: bytes
    variant: bytes


def start_of(key: bytes) -> int:
    """Where the answer's head begins in the file of this key."""
    return SIZE + len(_KEY) + len(key) + 1


def pack(head: FileHead) -> bytes:
    etag = head.etag if len(head.etag) <= ETAG_MOST else b""
    vary = head.vary[:VARY_MOST]
    return _LAYOUT.pack(*head[:9], len(etag), len(vary), etag, vary, head.variant)


def unpack(data: bytes) -> FileHead:
    """Errors: struct.error for less than SIZE bytes."""
    fields = _LAYOUT.unpack_from(data)
    etag_size, vary_size, etag, vary, variant = fields[9:]
    return FileHead._make((*fields[:9], etag[:etag_size], vary[:vary_size], variant))


def key_line(key: bytes) -> bytes:
    return _KEY + key + b"\n"


def key_of(data: bytes, start: int) -> bytes:
    """The key in a file whose answer's head begins at `start`."""
    return data[SIZE + len(_KEY) : start - 1]


def render(head: UpstreamHead) -> bytes:
    """An answer's head as it is kept."""
    if head.head.version == 9:
        return b""
    parts = [b"HTTP/1.1 ", head.status_line or status_line(head.status), b"\r\n"]
    for name, value in head.pairs:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
