"""MurmurHash2: values of the reference implementation."""

from __future__ import annotations

import pytest

from gateway.core.murmur import murmur_hash2


@pytest.mark.parametrize(
    ("data", "value"), [(b"", 0), (b"a", 0x92685F5E), (b"hello world", 0x44A81419), (b"abcd", None)]
)
def test_known_values(data: bytes, value: int | None) -> None:
    number = murmur_hash2(data)
    assert 0 <= number < 1 << 32
    assert value is None or number == value
