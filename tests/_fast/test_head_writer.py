"""A head in one piece of memory is what a join would make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.head_writer import HeadWriter

WRITER = HeadWriter()


@given(st.lists(st.binary(max_size=3000) | st.integers(0, 2**63 - 1)))
def test_the_same_as_a_join(pieces: list[bytes | int]) -> None:
    WRITER.begin()
    for piece in pieces:
        if isinstance(piece, int):
            WRITER.put_number(piece)
        else:
            WRITER.put(piece)
    assert WRITER.end() == b"".join(b"%d" % piece if isinstance(piece, int) else piece for piece in pieces)


def test_what_is_no_part_of_a_head() -> None:
    with pytest.raises(TypeError):
        WRITER.put(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        WRITER.put_number(-1)
