"""The same as slices within the bounds, and as formats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.cut import decimal, first, rest, thousandths


@given(st.binary(max_size=40), st.integers(0, 40))
def test_the_same_as_slices(data: bytes, at: int) -> None:
    at = min(at, len(data))
    assert first(data, at) == data[:at]
    assert rest(data, at) == data[at:]


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers(number: int) -> None:
    assert decimal(number) == b"%d" % number


@given(st.floats(0, 1e9))
def test_seconds(seconds: float) -> None:
    assert thousandths(seconds) == b"%d.%03d" % divmod(int(seconds * 1000), 1000)
