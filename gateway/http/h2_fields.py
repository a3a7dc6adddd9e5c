"""Blocks of header fields on an HTTP/2 connection: HPACK decoded (RFC 7541), within a server's limits for a head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.hpack import Decoder

if TYPE_CHECKING:
    from gateway._fast.request_head import HeadLimits
    from gateway.http.h2_head import Fields


class FieldReader:
    """Reads the blocks of one connection in the order in which they came: HPACK keeps a table from one to the next."""

    def __init__(self, limits: HeadLimits) -> None:
        self.head_limit = limits.large_buffers * limits.large_buffer_size
        self.decoder = Decoder(limits.large_buffer_size, self.head_limit)

    def read(self, block: bytes) -> Fields:
        """Names and values. Errors: Http2Error, which ends the connection."""
        return self.decoder.decode(block)
