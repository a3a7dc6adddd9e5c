from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http1 import parse_head
from gateway._fast.request_head import HeadLimits
from gateway._fast.uwsgi import PacketEncoder as FastEncoder
from gateway.protocol.params import Param, header_param
from gateway.protocol.uwsgi import BadPacket, PlainEncoder, decode

ENCODERS = pytest.mark.parametrize("encoder", [PlainEncoder, FastEncoder])


@ENCODERS
def test_packet(encoder: Any) -> None:
    params: list[Param] = [
        (b"REQUEST_METHOD", lambda request: request["method"], False),
        (b"SERVER_NAME", b"localhost", False),
        (b"SERVER_PORT", b"80", False),
        (b"HTTPS", lambda request: None, True),
        (b"EMPTY", lambda request: b"", False),
        (b"CONST", b"", True),
    ]
    packet = encoder(params, modifier1=5, modifier2=7).encode({"method": b"GET"}, [(b"X-Tag", b"a"), (b"host", b"h")])
    assert decode(packet + b"body") == (
        5,
        7,
        [
            (b"REQUEST_METHOD", b"GET"),
            (b"SERVER_NAME", b"localhost"),
            (b"SERVER_PORT", b"80"),
            (b"EMPTY", b""),
            (b"HTTP_X_TAG", b"a"),
            (b"HTTP_HOST", b"h"),
        ],
        b"body",
    )


@ENCODERS
def test_a_param_hides_the_field_of_its_name(encoder: Any) -> None:
    params: list[Param] = [
        (b"HTTP_X_Blah", b"mine", False),
        (b"HTTP_AUTHORIZATION", b"", False),
        (b"HTTP_", b"kept", False),
    ]
    fields = [(b"X-Blah", b"1"), (b"x_blah", b"2"), (b"Authorization", b"secret"), (b"x-blah", b"3"), (b"X", b"4")]
    assert decode(encoder(params).encode(None, fields))[2] == [
        (b"HTTP_X_Blah", b"mine"),
        (b"HTTP_", b"kept"),
        (b"HTTP_X", b"4"),
    ]


@ENCODERS
def test_repeated_fields_are_one(encoder: Any) -> None:
    fields = [(b"Foo", b"1"), (b"Cookie", b"a=1"), (b"foo", b""), (b"COOKIE", b"b=2"), (b"Bar", b"x"), (b"FOO", b"3")]
    assert decode(encoder([]).encode(None, fields))[2] == [
        (b"HTTP_FOO", b"1, , 3"),
        (b"HTTP_COOKIE", b"a=1; b=2"),
        (b"HTTP_BAR", b"x"),
    ]


@ENCODERS
def test_a_dash_and_an_underscore_are_two_fields(encoder: Any) -> None:
    """They are sent under one name each, as nginx does; underscores_in_headers is off by default."""
    assert decode(encoder([]).encode(None, [(b"A-B", b"1"), (b"A_B", b"2")]))[2] == [
        (b"HTTP_A_B", b"1"),
        (b"HTTP_A_B", b"2"),
    ]


@ENCODERS
def test_without_fields(encoder: Any) -> None:
    assert encoder([], pass_headers=False).encode(None, [(b"A", b"b")]) == b"\0\0\0\0"


@ENCODERS
def test_tail(encoder: Any) -> None:
    assert encoder([(b"A", b"1", False)], tail=b"\1\0B\0\0").encode(None, []) == b"\0\x0b\0\0\1\0A\1\0001\1\0B\0\0"


@ENCODERS
@pytest.mark.parametrize("where", ["constant", "evaluated", "field", "tail", "repeats"])
def test_size_limit(encoder: Any, where: str) -> None:
    def encode(size: int) -> Any:
        text = b"x" * size
        if where == "constant":
            return encoder([(b"N", text, False)]).encode(None, [])
        if where == "evaluated":
            return encoder([(b"N", lambda request: text, False)]).encode(None, [])
        if where == "tail":
            return encoder([], tail=b"12345" + text).encode(None, [])
        if where == "repeats":
            return encoder([]).encode(None, [(b"", text[:100]), (b"", text[106:])])
        return encoder([]).encode(None, [(b"", text[4:])])

    packet = encode(65530)
    assert len(packet) == 4 + 65535
    for size in (65531, 65540, 200_000):
        with pytest.raises(OverflowError) as caught:
            encode(size)
        assert caught.value.args == (size + 5,)


@ENCODERS
def test_an_error_in_a_param_comes_through(encoder: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        encoder([(b"A", lambda request: 1 // 0, False)]).encode(None, [])


@ENCODERS
def test_a_param_may_encode_another_packet(encoder: Any) -> None:
    inner = encoder([(b"IN", b"ner", False)])
    outer = encoder([(b"A", b"1", False), (b"P", lambda request: inner.encode(request, []), False)])
    assert decode(outer.encode(None, []))[2] == [(b"A", b"1"), (b"P", inner.encode(None, []))]


text = st.binary(max_size=40)
token = st.text("abcXYZ-_09", min_size=1, max_size=8).map(str.encode)
name = st.one_of(token, st.sampled_from([b"cookie", b"Cookie", b"X-A", b"x-a", b"x_a"]))
param_name = st.one_of(name, name.map(header_param))
params_strategy = st.lists(
    st.tuples(param_name, st.one_of(text, text.map(lambda value: lambda request: value or None)), st.booleans()),
    max_size=12,
)


@given(params_strategy, st.lists(st.tuples(name, text), max_size=20), st.booleans(), text)
def test_fast_and_plain_agree(params: list[Param], fields: Any, pass_headers: bool, tail: bytes) -> None:
    options = {"modifier1": 3, "modifier2": 9, "pass_headers": pass_headers, "tail": tail}
    expected = PlainEncoder(params, **options).encode(None, fields)  # type: ignore[arg-type]
    assert FastEncoder(params, **options).encode(None, fields) == expected  # type: ignore[arg-type]


value_text = st.text("abc ,;=-_", max_size=12).map(lambda value: value.strip().encode())


@given(params_strategy, st.lists(st.tuples(token, value_text), max_size=60))
def test_a_parsed_head_is_as_good_as_a_list(params: list[Param], fields: list[tuple[bytes, bytes]]) -> None:
    head = parse_head(
        b"GET / HTTP/1.0\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n",
        0,
        HeadLimits(underscores_in_headers=True, header_buffer_size=8192),
    )
    assert head is not None
    expected = PlainEncoder(params).encode(None, head.fields())
    assert FastEncoder(params).encode(None, head) == expected
    assert PlainEncoder(params).encode(None, head) == expected


@given(st.lists(st.tuples(text, text), max_size=20), st.binary(max_size=30))
def test_decoding_is_the_inverse(pairs: list[tuple[bytes, bytes]], rest: bytes) -> None:
    params: list[Param] = [(key, value, False) for key, value in pairs if not (len(key) > 5 and key[:5] == b"HTTP_")]
    packet = FastEncoder(params).encode(None, [])
    assert decode(packet + rest)[2:] == ([(key, value) for key, value, _ in params], rest)


@given(st.binary(max_size=60))
def test_decode_raises_only_its_error(data: bytes) -> None:
    for candidate in (data, struct.pack("<BHB", 0, max(0, len(data)), 0) + data):
        with contextlib.suppress(BadPacket):
            decode(candidate)


@pytest.mark.parametrize("packet", [b"", b"\0\5\0\0", b"\0\1\0\0a", b"\0\3\0\0\5\0a", b"\0\3\0\0\1\0a"])
def test_bad_packets(packet: bytes) -> None:
    with pytest.raises(BadPacket):
        decode(packet)
