"""log_line: escapes and the joining of a line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.log_line import ESCAPES, LineFormat, escape

DEFAULT, JSON, NONE = ESCAPES["default"], ESCAPES["json"], ESCAPES["none"]


@pytest.mark.parametrize(
    ("how", "value", "escaped"),
    [
        (DEFAULT, b'a"b\\c\n\x7f\xc3\xa9', rb"a\x22b\x5Cc\x0A\x7F\xC3\xA9"),
        (DEFAULT, b"plain ~!", b"plain ~!"),
        (JSON, b'"\\\n\r\t\b\f\x1f\x00\x7f\xc3\xa9', rb"\"\\\n\r\t\b\f\u001F\u0000" + b"\x7f\xc3\xa9"),
        (NONE, b'"\\\n', b'"\\\n'),
    ],
)
def test_escape(how: int, value: bytes, escaped: bytes) -> None:
    assert escape(value, how) == escaped


def test_what_needs_no_escape_is_not_copied() -> None:
    value = b"/index.html"
    assert escape(value, DEFAULT) is value


@given(st.text())
def test_json_reads_it_back(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    escaped = escape(data, JSON).decode("utf-8", "surrogatepass")
    assert json.loads(f'"{escaped}"', strict=False) == text


@given(st.binary())
def test_default_keeps_to_printable_ascii(data: bytes) -> None:
    escaped = escape(data, DEFAULT)
    assert escaped.isascii() and escaped.decode().isprintable() and b'"' not in escaped
    assert escaped.decode("unicode_escape").encode("latin-1") == data


@given(st.binary(max_size=40), st.sampled_from([DEFAULT, JSON, NONE]))
def test_each_byte_is_escaped_by_itself(data: bytes, how: int) -> None:
    escaped = b"".join([escape(bytes([byte]), how) for byte in data])
    assert escape(data, how) == escaped
    assert LineFormat([lambda request: request], how)(data) == escaped + b"\n"
    if escaped == data:
        assert escape(data, how) is data


@pytest.mark.parametrize("size", [0, 1, 600, 683, 5000, 100_000])
def test_a_line_of_any_length(size: int) -> None:
    line = LineFormat([b"<", lambda request: b"\n" * size, b">", lambda request: b"x" * size, b"!"], JSON)
    assert line(None) == b"<" + b"\\n" * size + b">" + b"x" * size + b"!\n"


def test_a_getter_may_make_a_line() -> None:
    inner = LineFormat([lambda request: b"i" * 50], DEFAULT)
    outer = LineFormat([lambda request: b"o" * 50, lambda request: inner(request)[:-1], b"."], DEFAULT)
    assert outer(None) == b"o" * 50 + b"i" * 50 + b".\n"


def test_a_line() -> None:
    values: dict[str, bytes | None] = {"a": b'x"y', "b": None, "c": b""}

    def getter(name: str) -> object:
        return lambda request: request[name]

    parts = [b'"', getter("a"), b'" ', getter("b"), b" ", getter("c"), b'"']
    assert LineFormat(parts, DEFAULT)(values) == b'"x\\x22y" - "\n'  # type: ignore[arg-type]
    assert LineFormat(parts, JSON)(values) == b'"x\\"y"  "\n'  # type: ignore[arg-type]
    assert LineFormat(parts, NONE)(values) == b'"x"y"  "\n'  # type: ignore[arg-type]
    assert LineFormat((), DEFAULT)(values) == b"\n"
    with pytest.raises(KeyError):
        LineFormat([getter("nobody")], DEFAULT)(values)  # type: ignore[list-item]
