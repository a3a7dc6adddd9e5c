"""_fast.http2_answer: heads and trailers of upstreams, with the hpack package as their writer."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.hpack import Decoder
from gateway._fast.http1_response import parse_response_head
from gateway._fast.http2_answer import answer_head, answer_trailers

Fields = list[tuple[bytes, bytes]]
KNOWN = [b"content-type", b"content-length", b"set-cookie", b"x-accel-redirect", b"status", b"grpc-status", b"x-y"]


def decoded(*fields: tuple[bytes, bytes]) -> Decoder:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    decoder = Decoder(1 << 20, 1 << 20, 0)
    decoder.decode(encoder.encode(fields))
    return decoder


def test_a_head_without_a_body_has_a_length() -> None:
    head = answer_head(decoded((b":status", b"404"), (b"x-y", b"z"), (b"content-length", b"3")), False)
    assert head.status == 404 and head.fields == [(b"x-y", b"z"), (b"content-length", b"3")]
    assert answer_head(decoded((b":status", b"200")), True).fields == [(b"content-length", b"0")]
    assert answer_head(decoded((b":status", b"200"), (b"content-length", b"3")), True).fields == [
        (b"content-length", b"3")
    ]


@given(
    st.integers(200, 599),
    st.lists(st.tuples(st.sampled_from(KNOWN), st.text("ab 1;=,", max_size=9).map(str.encode)), max_size=8),
)
def test_it_is_what_http1_would_have(status: int, fields: Fields) -> None:
    text = b"HTTP/1.1 %d\r\n" % status + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    wanted = parse_response_head(text, 0, "http")
    found = answer_head(decoded((b":status", b"%d" % status), *fields), False)
    assert wanted is not None
    assert (found.status, found.version) == (wanted.status, wanted.version)
    assert found.fields == wanted.fields and found.kinds == wanted.kinds and found.size == wanted.size


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=8)), max_size=6))
def test_no_line_can_be_made_of_a_value(fields: Fields) -> None:
    try:
        head = answer_head(decoded((b":status", b"200"), *fields), False)
    except HeadError as error:
        assert "upstream sent" in str(error)
        return
    assert head.fields == [(name, value.strip(b" ")) for name, value in fields]
    assert not any(byte in value for _, value in head.fields for byte in b"\0\r\n")
    assert all(name == name.lower() and b":" not in name for name, _ in head.fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([], "no :status"),
        ([(b"x", b"y"), (b":status", b"200")], "no :status"),
        ([(b":status", b"200"), (b":status", b"200")], "duplicate :status"),
        ([(b":status", b"20")], 'invalid :status "20"'),
        ([(b":status", b"2x0")], 'invalid :status "2x0"'),
        ([(b":status", b"100")], 'unexpected :status "100"'),
        ([(b":path", b"/")], 'invalid header ":path: /"'),
    ],
)
def test_what_is_no_head(fields: Fields, words: str) -> None:
    with pytest.raises(HeadError, match=words):
        answer_head(decoded(*fields), False)


@pytest.mark.parametrize(
    "field", [(b"A", b"x"), (b"a b", b"x"), (b"a:b", b"x"), (b"a", b"x\ny"), (b"a", b"\0"), (b"\x7f", b"")]
)
def test_what_is_no_field(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(HeadError, match="upstream sent invalid header"):
        answer_head(decoded((b":status", b"200"), field), False)
    with pytest.raises(HeadError, match="upstream sent invalid header"):
        answer_trailers(decoded(field))


def test_trailers() -> None:
    assert answer_trailers(decoded((b"grpc-status", b"0"))) == [(b"grpc-status", b"0")]
    with pytest.raises(HeadError, match='upstream sent invalid trailer ":status: 200"'):
        answer_trailers(decoded((b":status", b"200")))
