"""Numbers as QUIC and HTTP/3 have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.http3_frames import read_varint, varint


@given(st.integers(0, 2**62 - 1), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(value: int, behind: bytes) -> None:
    written = varint(value)
    assert read_varint(written + behind, 0) == (value, len(written))
    assert read_varint(written[:-1], 0) is None


# RFC 9000, A.1
@pytest.mark.parametrize(
    ("text", "value"),
    [("c2197c5eff14e88c", 151_288_809_941_952_652), ("9d7f3e7d", 494_878_333), ("7bbd", 15_293), ("25", 37)],
)
def test_examples(text: str, value: int) -> None:
    assert read_varint(bytes.fromhex(text), 0) == (value, len(text) // 2)
    assert varint(value).hex() == text
