"""h2_fields: blocks of fields within a server's limits."""

from __future__ import annotations

import pytest
from hpack import Encoder

from gateway._fast.request_head import HeadLimits
from gateway.http.h2_fields import FieldReader
from gateway.protocol.http2_frames import Http2Error

LIMITS = HeadLimits(large_buffers=(2, 1024))
FIELDS = [(b":method", b"GET"), (b":path", b"/x"), (b"x-long", b"y" * 900)]


def test_blocks_share_a_table() -> None:
    encoder, reader = Encoder(), FieldReader(LIMITS)
    first, second = encoder.encode(FIELDS), encoder.encode(FIELDS)
    assert len(second) < 10  # it refers to what the first one said
    assert reader.read(first) == FIELDS
    assert reader.read(second) == FIELDS


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([(b"x", b"y" * 1025)], "client sent too large header field"),
        ([(b"x%d" % i, b"y" * 1000) for i in range(3)], "client sent too large header"),
        ([(b"", b"y")], "client sent zero header name length"),
    ],
)
def test_limits(fields: list[tuple[bytes, bytes]], message: str) -> None:
    with pytest.raises(Http2Error, match=f"^{message}$"):
        FieldReader(LIMITS).read(Encoder().encode(fields, huffman=False))
