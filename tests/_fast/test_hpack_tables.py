"""HPACK's tables, beside the hpack package's."""

from __future__ import annotations

from hpack.huffman_constants import REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

from gateway._fast.hpack_tables import CODE_LENGTHS, STATIC


def test_the_static_table() -> None:
    assert tuple(HeaderTable.STATIC_TABLE) == STATIC


def test_the_lengths_of_codes() -> None:
    assert list(CODE_LENGTHS) == list(REQUEST_CODES_LENGTH)
