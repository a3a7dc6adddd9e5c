"""The compiled request head: attributes of a parsed head. The grammar's cases are in tests/protocol."""

from __future__ import annotations

import pytest

from gateway._fast.errors import HeadError
from gateway._fast.http1 import RequestParser, parse_head
from gateway._fast.request_head import HeadLimits, RequestHead

CURL = b"GET /index.html?a=1 HTTP/1.1\r\nHost: LocalHost.:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"


def parsed(data: bytes, **limits: object) -> RequestHead:
    head = parse_head(data, 0, HeadLimits(**limits))  # type: ignore[arg-type]
    assert head is not None
    return head


def test_attributes() -> None:
    head = parsed(CURL + b"rest")
    assert (head.method, head.target, head.uri, head.args, head.exten) == (
        b"GET", b"/index.html?a=1", b"/index.html", b"a=1", b"html",
    )
    assert (head.hostname, head.port, head.host) == (b"localhost", 8080, b"LocalHost.:8080")
    assert (head.version, head.protocol, head.keep_alive) == (11, b"HTTP/1.1", True)
    assert head.user_agent == head.get(b"user-agent") == head.variable(b"user_agent") == b"curl/7.88.1"
    assert head.fields()[2] == (b"Accept", b"*/*")
    assert head.data[head.end :] == b"rest"


def test_incomplete_is_none() -> None:
    assert all(parse_head(CURL[:n]) is None for n in range(len(CURL)))


def test_parser_byte_by_byte() -> None:
    parser = RequestParser()
    results = [parser.feed(CURL[n : n + 1]) for n in range(len(CURL))]
    assert results[:-1] == [None] * (len(CURL) - 1)
    assert results[-1] is parser.head
    assert parser.head is not None and parser.head.fields() == parsed(CURL).fields()


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"\x16\x03\x01", 400), (b"GET / HTTP/2", 505), (b"GET /../ HTTP/1.1\r\n", 400), (b"GET /" + b"a" * 40000, 414)],
)
def test_refused_early(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as raised:
        parse_head(data)
    assert raised.value.status == status
    assert raised.value.head.request_line == data.rstrip(b"\r\n")


def test_limits_of_the_chosen_server() -> None:
    seen = []

    def on_host(host: bytes, head: RequestHead) -> HeadLimits:
        seen.append(host)
        return HeadLimits(max_headers=2)

    with pytest.raises(HeadError, match="too many header lines"):
        parse_head(CURL, 0, HeadLimits(), on_host)
    assert seen == [b"localhost"]
