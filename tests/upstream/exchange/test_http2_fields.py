"""Blocks of fields towards upstreams, with the hpack package as their reader and writer."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.hpack import Decoder
from gateway._fast.http1_response import parse_response_head
from gateway.protocol.http1_request import parse_head
from gateway.upstream.exchange.http2_fields import Fields, check_field, head_text, request_block, trailers_of

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


def decoded(*fields: tuple[bytes, bytes]) -> Decoder:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    decoder = Decoder(1 << 20, 1 << 20, 0)
    decoder.decode(encoder.encode(fields))
    return decoder


def test_a_head_is_one_of_http1() -> None:
    text = head_text(decoded((b":status", b"404"), (b"x-y", b"z"), (b"content-length", b"3")), False)
    assert text == b"HTTP/1.1 404\r\nx-y: z\r\ncontent-length: 3\r\n\r\n"
    head = parse_response_head(text, 0, "http")
    assert head is not None and head.status == 404
    assert head_text(decoded((b":status", b"200")), True) == b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=8)), max_size=6))
def test_whatever_comes_no_line_is_made_of_a_value(fields: Fields) -> None:
    try:
        text = head_text(decoded((b":status", b"200"), *fields), False)
    except HeadError as error:
        assert "upstream sent" in str(error)
        return
    assert text.count(b"\r\n") == len(fields) + 2 and text.count(b"\n") == text.count(b"\r")
    assert all(name and name == name.lower() and b":" not in name for name, _ in fields)


@pytest.mark.parametrize(
    "field", [(b"", b"x"), (b"A", b"x"), (b"a b", b"x"), (b"a:b", b"x"), (b"a", b"x\ny"), (b"a", b"\0"), (b"\x7f", b"")]
)
def test_what_is_no_field(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(HeadError, match="upstream sent invalid header"):
        check_field(*field)


def test_trailers() -> None:
    assert trailers_of(decoded((b"grpc-status", b"0"))) == [(b"grpc-status", b"0")]
    with pytest.raises(HeadError, match='upstream sent invalid trailer ":status: 200"'):
        trailers_of(decoded((b":status", b"200")))
