"""Blocks of header fields on an HTTP/2 connection: HPACK decoded (RFC 7541), within a server's limits for a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hpack import Decoder, HPACKError, OversizedHeaderListError

from gateway.protocol import http2_frames as wire
from gateway.protocol.http2_frames import Http2Error

if TYPE_CHECKING:
    from gateway._fast.request_head import HeadLimits
    from gateway.http.h2_head import Fields

# HPACK counts 32 bytes for each field besides its text (RFC 7541, 4.1), nginx's limit the text alone.
_FIELD_OVERHEAD: Final = 32
_GOES_ON: Final = bytes(range(128, 256))  # bytes of an integer that is not over (RFC 7541, 5.1)


class FieldReader:
    """Reads the blocks of one connection in the order in which they came: HPACK keeps a table from one to the next."""

    def __init__(self, limits: HeadLimits) -> None:
        self.field_limit = limits.large_buffer_size
        self.head_limit = limits.large_buffers * limits.large_buffer_size
        self.decoder = Decoder(max_header_list_size=self.head_limit + _FIELD_OVERHEAD * (limits.max_headers + 10))

    def read(self, block: bytes) -> Fields:
        """Names and values. Errors: Http2Error, which ends the connection."""
        try:
            fields: Fields = list(self.decoder.decode(block, raw=True))
        except OversizedHeaderListError:
            raise Http2Error(wire.ENHANCE_YOUR_CALM, "client sent too large header") from None
        except HPACKError as error:
            raise Http2Error(_code_of(error, block), f"client sent invalid header block: {error}") from None
        left = self.head_limit
        for name, value in fields:
            if not name:
                raise Http2Error(wire.PROTOCOL_ERROR, "client sent zero header name length")
            if len(name) > self.field_limit or len(value) > self.field_limit:
                raise Http2Error(wire.ENHANCE_YOUR_CALM, "client sent too large header field")
            left -= len(name) + len(value)
            if left < 0:
                raise Http2Error(wire.ENHANCE_YOUR_CALM, "client sent too large header")
        return fields


def _code_of(error: HPACKError, block: bytes) -> int:
    """nginx tells a block that ends too early from one that is wrong; an integer of five bytes is wrong, too."""
    if isinstance(error.__cause__, IndexError):
        integer = len(block) - len(block.rstrip(_GOES_ON))
        return wire.COMPRESSION_ERROR if integer >= 4 else wire.FRAME_SIZE_ERROR
    return wire.FRAME_SIZE_ERROR if "Truncated" in str(error) else wire.COMPRESSION_ERROR
