"""Blocks of fields towards upstreams, with the hpack package as their reader."""

from __future__ import annotations

import hpack
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.http1_request import parse_head
from gateway.upstream.exchange.http2_fields import Fields, request_block

NAMES = st.text("abcxyzABC-019", min_size=1, max_size=70).map(str.encode)
VALUES = st.binary(max_size=200)


def read(block: bytes) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in hpack.Decoder().decode(block, raw=True)]


@given(
    st.sampled_from([b"GET", b"POST", b"PATCH", b"X"]),
    st.booleans(),
    st.sampled_from([b"/", b"/a?b", b"*", b"/index.html"]),
    VALUES,
    st.lists(st.tuples(NAMES, VALUES), max_size=8),
)
def test_a_request_is_read_as_it_was_meant(
    method: bytes, secure: bool, target: bytes, authority: bytes, fields: Fields
) -> None:
    assert read(request_block(method, secure, target, authority, fields)) == [
        (b":method", method),
        (b":scheme", b"https" if secure else b"http"),
        (b":path", target),
        (b":authority", authority),
        *((name.lower(), value) for name, value in fields),
    ]


@given(st.sets(st.sampled_from([b"host", b"x-a", b"te", b"accept"])))
def test_the_clients_fields_but_for_the_hidden_ones(hidden: set[bytes]) -> None:
    sent = [(b"Host", b"a"), (b"X-A", b"1"), (b"accept", b"*/*"), (b"X-a", b"2"), (b"x-b", b"3")]
    head = parse_head(b"GET / HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % field for field in sent) + b"\r\n")
    found = read(request_block(b"GET", False, b"/", b"a", [(b"x-own", b"0")], head, frozenset(hidden)))
    assert found[4:] == [
        (b"x-own", b"0"),
        *((name.lower(), value) for name, value in sent if name.lower() not in hidden),
    ]


@given(st.integers(0, 1 << 40), st.booleans())
def test_a_length_and_the_wish_for_trailers(length: int, trailers: bool) -> None:
    found = read(request_block(b"GET", False, b"/", b"a", [], None, frozenset(), length, trailers))
    assert found[4:] == [(b"content-length", b"%d" % length), *([(b"te", b"trailers")] if trailers else [])]
