"""Heads of HTTP/2 requests: to whoever asks them they are as those of HTTP/1."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.hpack import Decoder
from gateway._fast.http1 import parse_head
from gateway._fast.http2_head import Http2Head
from gateway._fast.request_head import HeadLimits, RequestHead
from tests.http2_client import Fields, request


def head_of(
    fields: Fields, *, ended: bool = True, limits: HeadLimits | None = None, version: int = 20
) -> RequestHead:
    reading = Http2Head(limits or HeadLimits(), 77, None, version)
    decoder = Decoder(1 << 20, 1 << 20)
    decoder.decode(hpack.Encoder().encode(fields))
    reading.read(decoder)
    return reading.finish(ended)


NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
VALUE = st.text("abc 019;,=\"'/", max_size=20).map(str.strip)
SPECIAL = (
    "host",
    "connection",
    "te",
    "expect",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "cookie",
)
# those of which nginx takes one only
UNIQUE = ("authorization", "range", "if-range", "content-range", "proxy-authorization", "proxy-connection")
FIELDS = st.lists(st.tuples(NAME, VALUE), max_size=30).map(
    lambda pairs: [
        (name.encode(), value.encode())
        for name, value in pairs
        if name not in (*SPECIAL, *UNIQUE) and not name.startswith("if-")
    ]
)


@given(st.sampled_from(["/", "/a/b.c?d=e&f", "/%20/../x//y", "/?", "/a+b#c"]), FIELDS)
def test_the_same_as_http1(path: str, fields: Fields) -> None:
    two = head_of(request(path, *fields, host="h:80"))
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    one = parse_head(
        b"GET %b HTTP/1.1\r\n%bhost: h:80\r\n\r\n" % (path.encode(), lines), 0, HeadLimits(large_buffers=(9, 9999))
    )
    assert one is not None
    assert two.fields() == one.fields()
    for name in ("uri", "args", "exten", "target", "hostname", "port", "host", "user_agent", "referer", "method"):
        assert getattr(two, name) == getattr(one, name), name
    for key, _ in fields:
        assert two.get(key) == one.get(key)
        assert two.variable(key.replace(b"-", b"_")) == one.variable(key.replace(b"-", b"_"))


def test_what_is_different() -> None:
    head = head_of(request("/x", (b"cookie", b"a"), (b"y", b"1"), (b"cookie", b"b")))
    assert head.version == 20 and head.protocol == b"HTTP/2.0" and head.request_line == b"GET /x HTTP/2.0"
    assert head.fields() == [(b"y", b"1"), (b"cookie", b"a; b"), (b"host", b"localhost")]
    assert head.schema == b"http" and head.length == 77 and not head.chunked
    assert head_of(request("/x"), ended=False).chunked
    assert head_of(request("/x", (b"content-length", b"3")), ended=False).content_length == 3


def test_http3_has_no_host_but_the_field() -> None:
    """nginx makes none of :authority there; the server is chosen by it all the same."""
    fields = [*request("/")[:3], (b":authority", b"A.example:81"), (b"x", b"1"), (b"cookie", b"a=b")]
    head = head_of(fields, version=30)
    assert (head.host, head.hostname, head.port) == (None, b"a.example", 81)
    assert head.fields() == [(b"x", b"1"), (b"cookie", b"a=b")]
    assert head_of([*fields, (b"host", b"A.example:81")], version=30).host == b"A.example:81"
    with pytest.raises(HeadError, match="with different values"):
        head_of([*fields, (b"host", b"b.example")], version=30)
    assert head_of([*fields, (b"content-length", b"3")], version=30).content_length == 3
    with pytest.raises(HeadError, match="prematurely"):
        head_of([*fields, (b"content-length", b"3")])


def test_limits() -> None:
    fields = [(b"a%d" % i, b"v") for i in range(5)]
    limits = HeadLimits(max_headers=5)
    assert head_of(request("/", *fields, (b"cookie", b"c")), limits=limits).count == 7
    with pytest.raises(HeadError) as raised:
        head_of(request("/", *fields, (b"b", b"")), limits=limits)
    assert raised.value.status == 494


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=8)), max_size=6))
def test_no_fields_raise_anything_but_the_declared_error(fields: Fields) -> None:
    for given_fields in (fields, request("/", *fields)):
        try:
            head_of(given_fields)
        except HeadError as error:
            assert error.status in (400, 405, 494)
