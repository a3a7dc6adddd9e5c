"""Numbers and fields as a stream of HTTP/3 has them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.hpack import Decoder
from gateway.http.h3_stream import _literal, read_varint, varint


@given(st.integers(0, 2**62 - 1), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(value: int, behind: bytes) -> None:
    written = varint(value)
    assert read_varint(written + behind, 0) == (value, len(written))
    assert read_varint(written[:-1], 0) is None


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=20000))
def test_fields_reach_the_head_as_they_are(name: bytes, value: bytes) -> None:
    assert Decoder(40000, 80000, 0).decode(_literal(name, value)) == [(name, value)]
