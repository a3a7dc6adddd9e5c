from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.http1 import parse_head
from gateway._fast.http1_response import ResponseHead
from gateway._fast.request_head import HeadLimits
from gateway.protocol.http1_client import (
    CHUNKED,
    PlainRequestEncoder,
    RequestEncoder,
    ResponseReader,
    chunk,
    render_request,
)

HEAD = b"HTTP/1.1 200 OK\r\nA: b\r\n"


def read(data: bytes, *, split: int = 0, head_only: bool = False, end: bool = False) -> tuple[ResponseReader, bytes]:
    """Give an answer in two parts; the reader, and the body that it found."""
    reader = ResponseReader(head_only=head_only)
    body: bytes | None = None
    for part in (data[:split], data[split:]):
        if not part:
            continue
        if body is None:
            head = reader.receive_head(part)
            if head is None:
                continue
            fields = {name.lower(): value for name, value in head.fields}
            body = reader.begin_body(
                b"GET",
                head.status,
                int(fields.get(b"content-length", -1)),
                chunked=b"transfer-encoding" in fields,
                close=fields.get(b"connection") == b"close",
            )
        else:
            body += reader.receive_body(part)
    assert body is not None
    if end:
        assert reader.receive_end() is not reader.excess
    return reader, body


def test_a_request() -> None:
    fields = [(b"Host", b"a"), (b"X", b"")]
    assert render_request(b"GET", b"/x?y", 1, fields) == b"GET /x?y HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
    assert render_request(b"PUT", b"/", 0, []) == b"PUT / HTTP/1.0\r\n\r\n"


def test_chunks() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert chunk(b"") == b"0\r\n\r\n"


# answer, body, done without an end, the connection may be used again
CASES = {
    "length": (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc", True, True),
    "a length of nothing": (HEAD + b"Content-Length: 0\r\n\r\n", b"", True, True),
    "too short": (HEAD + b"Content-Length: 4\r\n\r\nabc", b"abc", False, True),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", True, True),
    "chunked and cut": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"abc", False, True),
    "until the end": (HEAD + b"\r\nabc", b"abc", False, False),
    "the peer closes": (HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", b"abc", True, False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True, False),
    "no content": (b"HTTP/1.1 204 No\r\n\r\n", b"", True, True),
    "not modified, with a length": (b"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", b"", True, True),
    "interim heads": (
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",
        b"",
        True,
        True,
    ),
    "too much": (HEAD + b"Content-Length: 2\r\n\r\nabc", b"ab", True, False),
    "too much behind chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nx",
        b"abc",
        True,
        False,
    ),
    "too much behind nothing": (b"HTTP/1.1 204 No\r\n\r\nx", b"", True, False),
    "no head at all": (b"hello", b"hello", False, False),
}


@pytest.mark.parametrize("kind", CASES)
def test_answers(kind: str) -> None:
    data, body, done, keepalive = CASES[kind]
    for split in range(len(data)):
        if kind == "no head at all" and split > 0:
            continue  # "h" is no beginning of a status line: the first byte decides
        reader, found = read(data, split=split)
        assert found == body
        assert (reader.done, reader.keepalive) == (done, keepalive)
        assert reader.receive_end() == (done or kind in ("until the end", "no head at all"))


def test_the_answer_to_head_has_no_body() -> None:
    reader, body = read(HEAD + b"Content-Length: 30\r\n\r\n", head_only=True)
    assert (body, reader.done, reader.keepalive) == (b"", True, True)


def test_a_broken_chunk_keeps_what_came_before() -> None:
    with pytest.raises(HeadError) as raised:
        read(HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n")
    assert raised.value.message == "upstream sent invalid chunked response"


def test_trailers() -> None:
    reader, _ = read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n")
    assert reader.get_trailers() == [(b"X-A", b"1"), (b"X-B", b"2")]
    assert ResponseReader().get_trailers() is None


def test_the_words_for_too_much() -> None:
    assert read(HEAD + b"Content-Length: 0\r\n\r\nx")[0].excess_words is None
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert read(chunked + b"\r\nx")[0].excess_words == b"upstream sent data after final chunk"
    assert read(chunked + b"A: b\r\n\r\nx")[0].excess_words == b"upstream sent data after trailers"


def test_chunks_are_passed_on_at_once() -> None:
    assert read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")[0].prompt
    assert not read(HEAD + b"Content-Length: 3\r\n\r\n")[0].prompt


def test_early_hints_are_told() -> None:
    told: list[ResponseHead] = []
    reader = ResponseReader(on_hints=told.append)
    assert reader.receive_head(b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 More\r\nLink: b\r\n\r\n") is None
    assert [head.fields for head in told] == [[(b"Link", b"a")], [(b"Link", b"b")]]
    head = reader.receive_head(HEAD + b"\r\n")
    assert head is not None
    assert head.status == 200
    with pytest.raises(HeadError, match=r"upstream sent HTTP/1\.0 response with early hints"):
        ResponseReader().receive_head(b"HTTP/1.0 103 Hints\r\n\r\n")


names = st.sampled_from([b"Host", b"X-A", b"x_a", b"Accept", b"Cookie", b"TE", b"Connection"])
values = st.binary(max_size=6).filter(lambda text: not set(text) & {0, 10, 13} and text == text.strip(b" "))
own_values = st.one_of(values, values.map(lambda text: lambda request: text), st.just(lambda request: None))


@given(
    own=st.lists(st.tuples(names, own_values), max_size=5),
    fields=st.lists(st.tuples(names, values), max_size=25),
    hidden=st.sets(names.map(bytes.lower)),
    pass_headers=st.booleans(),
    length=st.sampled_from([-1, 0, 7, CHUNKED]),
)
def test_both_encoders_give_the_same(
    own: list[tuple[bytes, Any]],
    fields: list[tuple[bytes, bytes]],
    hidden: set[bytes],
    pass_headers: bool,
    length: int,
) -> None:
    lines = [b"GET /a HTTP/1.1", b"Host: h", *(b"%b: %b" % field for field in fields if field[0] != b"Host")]
    head = parse_head(b"\r\n".join(lines) + b"\r\n\r\n", 0, HeadLimits(underscores_in_headers=True))
    assert head is not None
    answers = [
        kind(1, own, hidden, pass_headers=pass_headers).encode(None, head, b"PUT", b"/t?x", length, b"body")
        for kind in (PlainRequestEncoder, RequestEncoder)
    ]
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"PUT /t?x HTTP/1.1\r\n") and answers[0].endswith(b"\r\n\r\nbody")
