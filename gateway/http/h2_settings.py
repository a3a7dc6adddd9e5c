"""What a server says of HTTP/2; nginx's http2_* directives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Http2Settings:
    concurrent_streams: int = 128
    preread_size: int = 65536  # of a body that nobody has asked for yet: a stream's window at its beginning


DEFAULT = Http2Settings()
