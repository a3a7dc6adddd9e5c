"""The head of a response for HTTP/3."""

from __future__ import annotations

from gateway.http.h3_head import others


def test_what_is_of_a_connection_is_left_out_and_names_are_in_lower_case() -> None:
    assert others([(b"Link", b"a"), (b"Connection", b"close"), (b"Transfer-Encoding", b"x")]) == [(b"link", b"a")]
