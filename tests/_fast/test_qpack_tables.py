"""QPACK's static table beside another implementation's."""

from __future__ import annotations

import pytest

from gateway._fast.qpack_tables import STATIC


def test_it_is_that_of_others() -> None:
    pylsqpack = pytest.importorskip("pylsqpack")
    decoder = pylsqpack.Decoder(0, 0)
    for number, field in enumerate(STATIC):
        line = bytes((0xC0 | number,)) if number < 63 else bytes((0xFF, number - 63))
        assert decoder.feed_header(4 * number, b"\x00\x00" + line)[1] == [field]
    assert len(STATIC) == 99
