"""What is sent over HTTP/2, read by the hpack package and compared with frames that are put together simply."""

from __future__ import annotations

import hpack
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http2_writer import FieldWriter, FrameWriter
from tests import http2_frames as wire

NAMES = st.sampled_from([b":status", b"server", b"Content-Length", b"vary", b"X-Other"]) | st.binary(
    min_size=1, max_size=80
).map(bytes.lower)
VALUES = st.sampled_from([b"", b"200", b"404", b"Accept-Encoding"]) | st.binary(max_size=300)
FIELDS = st.lists(st.tuples(NAMES, VALUES))


def encode(fields: list[tuple[bytes, bytes]]) -> bytes:
    writer = FieldWriter()
    writer.begin()
    for name, value in fields:
        writer.field(name, value)
    return writer.end()


@given(st.lists(FIELDS, max_size=4))
def test_decoding_is_the_inverse(heads: list[list[tuple[bytes, bytes]]]) -> None:
    """On any connection and in any order; names become lower-case."""
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    for fields in heads:
        decoded = [tuple(field) for field in decoder.decode(encode(fields), raw=True)]
        assert decoded == [(name.lower(), value) for name, value in fields]


def test_fields_whose_name_is_known() -> None:
    writer = FieldWriter()
    writer.begin()
    writer.indexed(8)
    writer.known(54, b"gateway")
    assert [tuple(field) for field in hpack.Decoder().decode(writer.end(), raw=True)] == [
        (b":status", b"200"),
        (b"server", b"gateway"),
    ]


def test_the_shorter_form_is_taken() -> None:
    assert encode([(b":status", b"200")]) == b"\x88"
    assert b"{{{{{" in encode([(b"x", b"{{{{{")])
    assert len(encode([(b"content-type", b"application/octet-stream")])) < len(b"application/octet-stream")


@given(st.binary(max_size=100), st.integers(0, 1), st.integers(1, 50))
def test_a_block_larger_than_a_frame_goes_on_in_continuations(block: bytes, flags: int, size: int) -> None:
    writer = FrameWriter()
    writer.headers(3, block, flags, size)
    assert writer.take() == wire.headers(3, block, flags, size)


def test_frames() -> None:
    writer = FrameWriter()
    writer.settings_ack()
    writer.ping_ack(b"12345678")
    writer.window_update(2**31 - 1, 2**31 - 1)
    writer.rst_stream(7, 2**32 - 1)
    writer.goaway(5, 11)
    writer.frame(3, wire.DATA, 1, 5)
    writer.put_part(b"abcdef", 1, 3)
    expected = (
        wire.SETTINGS_ACK
        + wire.ping_ack(b"12345678")
        + wire.window_update(2**31 - 1, 2**31 - 1)
        + wire.rst_stream(7, 2**32 - 1)
        + wire.goaway(5, 11)
        + wire.frame_head(3, wire.DATA, 1, 5)
        + b"bcd"
    )
    assert writer.waiting() == len(expected)
    assert writer.take() == expected
    assert writer.waiting() == 0 and writer.take() == b""
