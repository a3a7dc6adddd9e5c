"""References of a block of fields to QPACK's dynamic table, which are limited."""

from __future__ import annotations

import pytest

pytest.importorskip("aioquic")
import pylsqpack

from gateway.http.h3_connection import references


def test_a_block_without_a_table_refers_to_none_of_it() -> None:
    fields = [(b":method", b"GET"), (b":path", b"/" + b"x" * 500), (b"x-own", b"v"), (b"cookie", b"a=1")]
    assert references(pylsqpack.Encoder().encode(0, fields)[1]) == 0


@pytest.mark.parametrize("line", [b"\x80", b"\xbf\x02", b"\x10", b"\x40\x01a", b"\x00\x01a"])
def test_each_way_to_refer_counts(line: bytes) -> None:
    assert references(b"\x02\x00" + line * 7) == 7
    assert references(b"\x02\x00" + line * 7 + b"\xff") <= 8
