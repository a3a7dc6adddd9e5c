"""The same as slices, within the bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.cut import first, rest


@given(st.binary(max_size=40), st.integers(0, 40))
def test_the_same_as_slices(data: bytes, at: int) -> None:
    at = min(at, len(data))
    assert first(data, at) == data[:at]
    assert rest(data, at) == data[at:]
