"""Fields as HTTP/3 has them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.hpack import Decoder
from gateway.http.h3_head import literals, others


def test_what_is_of_a_connection_is_left_out_and_names_are_in_lower_case() -> None:
    assert others([(b"Link", b"a"), (b"Connection", b"close"), (b"Transfer-Encoding", b"x")]) == [(b"link", b"a")]


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.binary(max_size=20000)), max_size=3))
def test_fields_reach_the_head_as_they_are(fields: list[tuple[bytes, bytes]]) -> None:
    assert Decoder(40000, 80000, 0).decode(literals(fields)) == fields
