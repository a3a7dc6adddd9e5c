"""Blocks of fields: what the hpack package writes is read the same, and what nobody should write is refused."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import Http2Error
from gateway._fast.hpack import Decoder
from tests import http2_frames as wire

Fields = list[tuple[bytes, bytes]]

NAMES = st.sampled_from([b":method", b":path", b"cookie", b"x-other", b"accept-encoding"]) | st.binary(
    min_size=1, max_size=20
)
VALUES = st.sampled_from([b"", b"GET", b"/", b"gzip, deflate"]) | st.binary(max_size=400)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
HEADS = st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 100, 1000, 4096])), max_size=8)

LARGE = 1 << 20


def decoder(field: int = LARGE, head: int = LARGE) -> Decoder:
    return Decoder(field, head)


@given(HEADS)
def test_whatever_hpack_writes_is_read(heads: list[tuple[Fields, bool, int | None]]) -> None:
    """Also with fields that are not to be kept, and with tables that become smaller and larger."""
    encoder, reader = hpack.Encoder(), decoder()
    for fields, huffman, size in heads:
        if size is not None:
            encoder.header_table_size = size
        named = [hpack.NeverIndexedHeaderTuple(*field) if len(field[1]) % 3 == 0 else field for field in fields]
        assert reader.decode(encoder.encode(named, huffman=huffman)) == fields
        assert reader.table_size <= reader.table_limit <= 4096


@given(FIELDS, st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_any_split_gives_the_same(fields: Fields, places: list[int], huffman: bool) -> None:
    block = hpack.Encoder().encode(fields, huffman=huffman)
    reader = decoder()
    reader.begin()
    rest, at = b"", 0
    for place in [*sorted(place % (len(block) + 1) for place in places), len(block)]:
        rest += block[at:place]
        at = place
        rest = rest[reader.feed(rest, False) :]
    assert rest == b"" and reader.feed(rest, True) == 0
    assert reader.fields() == fields


@given(st.binary(max_size=60), st.integers(0, 60))
def test_nothing_but_the_error_is_raised(block: bytes, place: int) -> None:
    whole = decoder(300, 600)
    whole.decode(hpack.Encoder().encode([(b"x-kept", b"value")]))
    parts = decoder(300, 600)
    parts.decode(hpack.Encoder().encode([(b"x-kept", b"value")]))
    try:
        expected: object = whole.decode(block)
    except Http2Error as error:
        expected = str(error)
    parts.begin()
    try:
        used = parts.feed(block[:place], False)
        parts.feed(block[used:], True)
        found: object = parts.fields()
    except Http2Error as error:
        found = str(error)
    assert type(found) is type(expected)
    assert isinstance(found, str) or found == expected


@given(st.binary(max_size=60))
def test_what_hpack_reads_is_read_the_same(block: bytes) -> None:
    try:
        expected = [tuple(field) for field in hpack.Decoder().decode(block, raw=True)]
    except hpack.HPACKError:
        return
    if any(not name for name, _ in expected):
        return
    try:
        assert decoder().decode(block) == expected
    except Http2Error as error:  # nginx takes no integer of five octets, and no table larger than announced
        assert "too long" in str(error) or "size update" in str(error)


@pytest.mark.parametrize(
    ("block", "code", "words"),
    [
        (b"\x40\x05ab", wire.FRAME_SIZE_ERROR, "header field with incorrect length"),
        (b"\x40\x02ab", wire.FRAME_SIZE_ERROR, "header block with incorrect length"),
        (b"\xff", wire.FRAME_SIZE_ERROR, "header block with incorrect length"),
        (b"\xff" + b"\xff" * 5, wire.COMPRESSION_ERROR, "too long header index value"),
        (b"\x3f" + b"\xff" * 5, wire.COMPRESSION_ERROR, "too long size update value"),
        (b"\x40\x7f" + b"\xff" * 5, wire.COMPRESSION_ERROR, "too long length value"),
        (b"\xfe", wire.COMPRESSION_ERROR, "hpack table index"),
        (b"\x80", wire.COMPRESSION_ERROR, "hpack table index"),
        (b"\x7e\x01a", wire.COMPRESSION_ERROR, "hpack table index"),
        (b"\x3f\xe2\x1f", wire.COMPRESSION_ERROR, "invalid table size update: 4097"),
        (b"\x40\x84\xff\xff\xff\xff\x01a", wire.COMPRESSION_ERROR, "invalid encoded header field"),
        (b"\x40\x00\x01a", wire.PROTOCOL_ERROR, "zero header name length"),
        (b"\x40\x80\x01a", wire.PROTOCOL_ERROR, "zero header name length"),
    ],
)
def test_what_is_no_block(block: bytes, code: int, words: str) -> None:
    with pytest.raises(Http2Error, match=words) as caught:
        decoder().decode(block)
    assert caught.value.code == code


def test_the_limit_of_a_field_is_on_what_was_sent_and_that_of_a_head_on_what_it_means() -> None:
    reader = decoder(1000, 2000)
    long = [(b"x", b"a" * 1500)]
    assert reader.decode(hpack.Encoder().encode(long)) == long
    with pytest.raises(Http2Error, match="client sent too large header field"):
        reader.decode(hpack.Encoder().encode(long, huffman=False))
    with pytest.raises(Http2Error, match=r"client sent too large header$"):
        reader.decode(hpack.Encoder().encode([*long, (b"y", b"a" * 600)]))


def test_a_field_that_refers_to_a_long_one_again_and_again() -> None:
    """A few bytes that mean many: the limit holds as they are read."""
    encoder = hpack.Encoder()
    block = encoder.encode([(b"x", b"a" * 3900)])
    reader = decoder(8192, 32768)
    reader.decode(block)
    with pytest.raises(Http2Error, match=r"client sent too large header$"):
        reader.decode(b"\xbe" * 16000)


def test_what_does_not_fit_leaves_the_table_empty() -> None:
    reader = decoder()
    reader.decode(hpack.Encoder().encode([(b"a", b"b"), (b"c", b"d")]))
    assert reader.held == 2
    reader.decode(b"\x40\x01x\x7f\x81\x1f" + bytes(4096))
    assert reader.held == 0 and reader.table_size == 0
