"""The body of a request that came on a stream of its own, as its request reads it."""

from __future__ import annotations

import pytest

from gateway.http.body import BodyError
from gateway.http.request import Request
from gateway.http.request_stream import RequestStream
from gateway.protocol.http1_request import RequestParser


def request_of(length: int) -> Request:
    declared = b"" if length < 0 else b"Content-Length: %d\r\n" % length
    head = RequestParser().feed(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n" % declared)
    assert head is not None
    request: Request = Request.__new__(Request)
    request.head = head
    return request


class Stream(RequestStream):
    """Of no protocol: what its hooks are called with is kept."""

    def __init__(self) -> None:
        self.input: list[bytes] = []
        self.received = 0
        self.in_closed = self.lost = self.skip_data = False
        self.taken: list[int] = []
        self.checked = 0

    def body_taken(self, size: int) -> None:
        self.taken.append(size)

    def check_length(self, request: Request) -> None:
        self.checked += 1


def test_a_body_is_read_as_it_comes() -> None:
    stream, request = Stream(), request_of(-1)
    assert stream.receive_body(request) is None
    stream.input = [b"ab", b"c"]
    assert not stream.body_done()
    assert stream.receive_body(request) == b"abc"
    assert (stream.taken, stream.body_received(), stream.checked) == ([3], 3, 0)
    stream.input, stream.in_closed = [b"d"], True
    assert stream.receive_body(request) == b"d"
    assert stream.checked == 1 and stream.body_done()
    assert stream.receive_body(request) == b""
    assert stream.taken == [3, 1]


def test_more_than_was_declared() -> None:
    stream, request = Stream(), request_of(2)
    stream.input = [b"abc"]
    with pytest.raises(BodyError) as caught:
        stream.receive_body(request)
    assert caught.value.status == 400 and stream.skip_data and not stream.taken


def test_a_client_that_is_gone() -> None:
    stream, request = Stream(), request_of(-1)
    stream.lost = True
    with pytest.raises(BodyError) as caught:
        stream.receive_body(request)
    assert caught.value.status == 499
