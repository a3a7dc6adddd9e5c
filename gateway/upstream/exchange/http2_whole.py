"""A request of HTTP/2 in memory, as a client sends it at once: preface, settings, fields, and then its body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.protocol import http2_frames as wire
from gateway.upstream.exchange.http2_fields import request_block

# Of a connection; HTTP/2 has its own ways (RFC 9113, 8.2.2), and the host goes as :authority.
OF_HTTP1: Final = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host"))
STREAM: Final = 1
_WINDOW: Final = wire.MAX_WINDOW - wire.DEFAULT_WINDOW


def request_frames(
    method: str, target: str, authority: str, fields: Sequence[tuple[str, str]], *, secure: bool, ends: bool = True
) -> bytes:
    """All that comes before a body; `ends` says that there is none. Windows are as wide as they can be."""
    names = [(_bytes(name.lower()), _bytes(value)) for name, value in fields if name.lower() not in OF_HTTP1]
    block = request_block(_bytes(method), secure, _bytes(target), _bytes(authority), names)
    out = [wire.PREFACE, wire.settings([(wire.ENABLE_PUSH, 0), (wire.INITIAL_WINDOW_SIZE, wire.MAX_WINDOW)])]
    out += [wire.frame_head(4, wire.WINDOW_UPDATE, 0, 0), _WINDOW.to_bytes(4, "big")]
    kind, flags = wire.HEADERS, wire.END_STREAM if ends else 0
    while True:
        part, block = block[: wire.DEFAULT_FRAME_SIZE], block[wire.DEFAULT_FRAME_SIZE :]
        out += [wire.frame_head(len(part), kind, flags | (0 if block else wire.END_HEADERS), STREAM), part]
        kind, flags = wire.CONTINUATION, 0
        if not block:
            return b"".join(out)


def data_frames(data: bytes, *, ends: bool) -> bytes:
    """A part of the body; an empty one that ends it is a frame, too."""
    size = wire.DEFAULT_FRAME_SIZE
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""] * ends
    out = []
    for number, part in enumerate(parts, 1):
        last = ends and number == len(parts)
        out += [wire.frame_head(len(part), wire.DATA, wire.END_STREAM if last else 0, STREAM), part]
    return b"".join(out)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
