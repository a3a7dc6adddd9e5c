from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http1_response import parse_response_head
from gateway.http.request import Request
from gateway.http.status import status_line
from gateway.upstream.cache import file_head
from gateway.upstream.cache.file_head import FileHead
from gateway.upstream.exchange.response import UpstreamHead

_TIME = st.integers(-1, 1 << 40)
_SIZE = st.integers(0, 1 << 31)


@given(
    st.builds(
        FileHead, st.just(file_head.VERSION), _SIZE, _SIZE, _SIZE, _TIME, _TIME, _TIME, _TIME, _TIME,
        st.binary(max_size=128), st.binary(max_size=128), st.binary(min_size=16, max_size=16),
    )
)  # fmt: skip
def test_packing_and_unpacking_is_the_identity(head: FileHead) -> None:
    packed = file_head.pack(head)
    assert len(packed) == file_head.SIZE and file_head.unpack(packed + b"x") == head


def test_what_does_not_fit() -> None:
    head = FileHead(file_head.VERSION, 0, 0, 0, 0, 0, 0, 0, 0, b"e" * 129, b"v" * 129, bytes(16))
    found = file_head.unpack(file_head.pack(head))
    assert found.etag == b"" and found.vary == b"v" * 128
    with pytest.raises(struct.error):
        file_head.unpack(b"short")


def test_the_key() -> None:
    data = bytes(file_head.SIZE) + file_head.key_line(b"some key") + b"HTTP/1.1"
    start = file_head.start_of(b"some key")
    assert data[start:] == b"HTTP/1.1" and file_head.key_of(data, start) == b"some key"


@pytest.mark.parametrize(
    ("sent", "form"),
    [
        (b"HTTP/1.0 404 Gone fishing\r\nA: b\r\nEmpty:\r\n\r\n", "http"),
        (b"Status: 404\r\nX-A: 1\nX-A: 2\n\n", "cgi"),
        (b"Location: /\r\n\r\n", "uwsgi"),
    ],
)
def test_heads_of_all_protocols_are_read_again(sent: bytes, form: Any) -> None:
    request = Request.__new__(Request)
    parsed = parse_response_head(sent, 0, form)
    assert parsed is not None
    kept = parse_response_head(file_head.render(UpstreamHead(parsed, request)))
    assert kept is not None
    words = parsed.status_line or status_line(parsed.status)  # of a CGI status without words
    assert (kept.status, kept.status_line, kept.fields) == (parsed.status, words, parsed.fields)


def test_an_answer_without_a_head() -> None:
    parsed = parse_response_head(b"no head at all")
    assert parsed is not None
    assert file_head.render(UpstreamHead(parsed, Request.__new__(Request))) == b""
