from __future__ import annotations

from gateway._fast.http1 import parse_head
from gateway._fast.request_head import HeadLimits
from gateway.protocol.params import Params, header_param

FIELDS = [(b"Host", b"h"), (b"X-Tag", b"1"), (b"cookie", b"a=1"), (b"x-tag", b"2"), (b"Cookie", b"b=2")]


def test_a_field_becomes_a_param() -> None:
    assert header_param(b"X-Forwarded_for") == b"HTTP_X_FORWARDED_FOR"


def test_repeated_fields_are_one() -> None:
    assert Params([]).pairs(None, [*FIELDS, (b"X_Tag", b"3")]) == [
        (b"HTTP_HOST", b"h"),
        (b"HTTP_X_TAG", b"1, 2"),
        (b"HTTP_COOKIE", b"a=1; b=2"),
        (b"HTTP_X_TAG", b"3"),
    ]


def test_names_are_not_kept_without_end() -> None:
    fields = [(b"X-%d" % n, b"") for n in range(3000)]
    for _ in range(2):
        assert Params([]).pairs(None, fields)[-1] == (b"HTTP_X_2999", b"")


def test_params_come_before_fields_and_take_their_place() -> None:
    params = Params(
        [
            (b"A", b"1", False),
            (b"EMPTY", b"", False),
            (b"SKIPPED", b"", True),
            (b"METHOD", lambda request: request, False),
            (b"NONE", lambda request: None, True),
            (b"HTTP_HOST", b"own", True),
            (b"HTTP_X_tag", b"", False),  # hides the field and is not sent
        ]
    )
    wanted = [(b"A", b"1"), (b"EMPTY", b""), (b"METHOD", b"GET"), (b"HTTP_HOST", b"own"), (b"HTTP_COOKIE", b"a=1; b=2")]
    assert params.pairs(b"GET", FIELDS) == wanted
    lines = b"".join(b"%b: %b\r\n" % field for field in FIELDS)
    head = parse_head(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 0, HeadLimits())
    assert head is not None
    assert params.pairs(b"GET", head) == wanted


def test_without_fields() -> None:
    assert Params([(b"A", b"1", False)], pass_headers=False).pairs(None, FIELDS) == [(b"A", b"1")]
