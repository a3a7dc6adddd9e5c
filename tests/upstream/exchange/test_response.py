from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import parse_response_head
from gateway.http.request import Request
from gateway.http.response import PLACED, Response
from gateway.upstream.exchange.response import Hidden, UpstreamHead, digits, set_content_type
from gateway.upstream.exchange.settings import ExchangeSettings
from tests import fakes
from tests.engine import serving
from tests.fakes import farm


class FakeRequest(Request):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.response = Response()
        self.http_version = 11
        self.limit_rate = None

    def log(self, level: str, message: bytes | str, error: OSError | None = None) -> None:
        assert isinstance(message, bytes)
        self.lines.append(f"{level}: {message.decode()}")


def settings(hidden: frozenset[bytes] = frozenset({b"x-hidden", b"cache-control"})) -> ExchangeSettings:
    found = ExchangeSettings.__new__(ExchangeSettings)
    found.hidden_fields = Hidden(hidden)
    found.force_ranges = found.passes_absence = False
    return found


class FakeConf:
    force_ranges = False

    @staticmethod
    def rewrite_field(request: object, lower: bytes, value: bytes) -> bytes | None:
        return None


def read(text: bytes) -> tuple[UpstreamHead, FakeRequest]:
    head = parse_response_head(text.replace(b"\n", b"\r\n") + b"\r\n\r\n", 0, "uwsgi")
    assert head is not None
    request = FakeRequest()
    return UpstreamHead(head, request), request


@pytest.mark.parametrize(
    ("text", "content_type", "charset"),
    [
        (b"text/html", b"text/html", None),
        (b"text/html; charset=utf-8", b"text/html", b"utf-8"),
        (b'text/html;charset="utf-8"', b"text/html", b"utf-8"),
        (b"text/html; a=b; CHARSET=x", b"text/html; a=b", b"x"),
        (b"text/html; a=b", b"text/html; a=b", None),
        (b"text/html;", b"text/html;", None),
    ],
)
def test_content_type(text: bytes, content_type: bytes, charset: bytes | None) -> None:
    response = Response()
    set_content_type(response, text)
    assert (response.content_type, response.charset) == (content_type, charset)


def test_repeats_of_single_fields_are_dropped() -> None:
    head, request = read(b"Date: one\nDate: two\nX: 1\nX: 2\nSet-Cookie: a\nSet-Cookie: b")
    assert [name for _, name, _ in head.fields] == [b"Date", b"X", b"X", b"Set-Cookie", b"Set-Cookie"]
    assert request.lines == [
        'warn: upstream sent duplicate header line: "Date: two", previous value: "Date: one", ignored'
        " while reading response header from upstream"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"Content-Length: 1\nTransfer-Encoding: chunked", "at the same time"),
        (b"Transfer-Encoding: chunked\nContent-Length: 1", "at the same time"),
        (b"Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "duplicate header line"),
        (b"Transfer-Encoding: gzip", 'unknown "Transfer-Encoding": "gzip"'),
        (b"Content-Length: -1", 'invalid "Content-Length" header: "Content-Length: -1"'),
        (b"Content-Length: ", "invalid"),
        (b"Content-Length: 99999999999999999999", "invalid"),
    ],
)
def test_refused(text: bytes, words: str) -> None:
    with pytest.raises(HeadError, match=words):
        read(text)


def test_what_goes_to_the_client() -> None:
    head, request = read(
        b"Status: 206\nContent-Length: 5\nConnection: close\nX-Hidden: 1\nX: 2\n"
        b"Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT\nAccept-Ranges: bytes\nUpgrade: h2c\n"
        b"Content-Encoding: br\nLocation: http://a/"
    )
    head.copy(request, FakeConf, settings())
    response = request.response
    # those with an attribute keep their place, and their value is the attribute's
    assert response.fields == [
        (b"Status", b"206"),
        (b"X", b"2"),
        (b"Last-Modified", PLACED),
        (b"Accept-Ranges", b"bytes"),
        (b"Upgrade", b"h2c"),
        (b"Content-Encoding", PLACED),
        (b"Location", PLACED),
    ]
    assert (response.content_length, response.last_modified) == (5, 23349600)
    assert (response.content_encoding, response.location) == (b"br", b"http://a/")
    assert head.connection_close


def test_forced_ranges() -> None:
    head, request = read(b"Accept-Ranges: none")

    class Forced(FakeConf):
        force_ranges = True

    forced = settings()
    forced.force_ranges = True
    head.copy(request, Forced, forced)
    assert request.response.accept_ranges and request.response.fields == []


def test_controls() -> None:
    head, request = read(b"X-Accel-Limit-Rate: 100\nX-Accel-Charset: koi8-r\nX-Accel-Buffering: NO")
    head.apply_controls(request, 0)
    found: Any = request.limit_rate, request.response.override_charset, head.buffering
    assert found == (100, b"koi8-r", b"no")
    head, request = read(b"X-Accel-Limit-Rate: x")
    head.apply_controls(request, 0)
    assert request.limit_rate is None


def test_digits() -> None:
    assert [digits(text) for text in (b"0", b"17", b"", b"-1", b"1x", b"9" * 30)] == [0, 17, -1, -1, -1, -1]


def test_hidden_by_kind_or_name() -> None:
    head, request = read(b"x-hidden: 1\nCACHE-Control: 2\nX-Hidden-Not: 3\nExpires: 4\nx-HIDDEN: 5")
    head.copy(request, FakeConf, settings())
    assert request.response.fields == [(b"X-Hidden-Not", b"3"), (b"Expires", b"4")]
    head, request = read(b"CACHE-Control: 2\nX-Hidden: 1")
    head.copy(request, FakeConf, settings(frozenset()))
    assert request.response.fields == [(b"CACHE-Control", b"2"), (b"X-Hidden", b"1")]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (b"404", b"HTTP/1.1 404 Not Found\r\n"),  # no words of its own: the usual ones
        (b"404 Gone fishing", b"HTTP/1.1 404 Gone fishing\r\n"),
        (b"299", b"HTTP/1.1 299 \r\n"),  # RFC 9112 wants the space
        (b"431", b"HTTP/1.1 431 \r\n"),
    ],
)
async def test_a_cgi_status(status: bytes, line: bytes, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(fakes.answer(b"Status: %b\r\nContent-Length: 1\r\n\r\nx" % status))
        async with serving(f"server {{ listen 127.0.0.1:80; location / {{ uwsgi_pass {address}; }} }}") as engine:
            assert (await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).startswith(line)
