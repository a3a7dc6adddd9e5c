"""Huffman's code of HPACK, beside the hpack package's."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.huffman import decode, encode

WITNESS = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary(max_size=200))
def test_both_ways(text: bytes) -> None:
    assert encode(text) == WITNESS.encode(text)
    assert decode(encode(text)) == text


def test_each_byte() -> None:
    for byte in range(256):
        for count in (1, 2, 7):
            text = bytes([byte]) * count
            assert encode(text) == WITNESS.encode(text)
            assert decode(encode(text)) == text


@given(st.binary(max_size=12))
def test_what_is_no_code_is_none_for_both(code: bytes) -> None:
    try:
        expected = decode_huffman(code)
    except HPACKDecodingError:
        try:
            text = decode(code)
        except ValueError:
            return
        assert code.startswith(encode(text)) and set(code[len(encode(text)) :]) == {0xFF}  # see below
    else:
        assert decode(code) == expected


@pytest.mark.parametrize("code", [b"\xff\xff\xff\xff", b"\x18", b"\x07\xff\xff\xff\xff"])
def test_ends_that_are_none(code: bytes) -> None:
    """The end's own code, padding with zeros."""
    with pytest.raises(ValueError):
        decode(code)


def test_more_padding_than_need_be_is_taken_as_nginx_takes_it() -> None:
    assert decode(encode(b"localhost") + b"\xff\xff\xff") == b"localhost"
