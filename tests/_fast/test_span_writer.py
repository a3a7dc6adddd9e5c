"""span_writer: a span's bytes, beside an encoder of a few lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.span_writer import SpanWriter, key_of
from tests.spans import Attribute, span


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    made = b""
    while number > 127:
        made += bytes((number & 127 | 128,))
        number >>= 7
    return made + bytes((number,))


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _text(data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode()


def _attribute(name: bytes, value: bytes | int, listed: bool) -> bytes:
    if isinstance(value, int):
        said = b"\x18" + _varint(value)
    else:
        said = _field(1, _text(value))
        if listed:
            said = _field(5, _field(1, said))
    return _field(9, _field(1, _text(name)) + _field(2, said))


_NAMES = st.binary(max_size=150)
_VALUES = st.binary(max_size=20) | st.binary(min_size=100, max_size=20000) | st.integers(-(2**63), 2**63 - 1)


@given(
    _NAMES, st.binary(max_size=300), st.sampled_from([bytes(8), b"abcdefgh"]), st.booleans(),
    st.lists(st.tuples(_NAMES, _VALUES, st.booleans()), max_size=8),
)  # fmt: skip
def test_the_same_bytes(
    name: bytes, state: bytes, parent: bytes, failed: bool, attributes: list[tuple[bytes, bytes | int, bool]]
) -> None:
    said: list[Attribute] = [
        (key, value, True) if listed and isinstance(value, bytes) else (key, value) for key, value, listed in attributes
    ]
    made = span(b"t" * 16, b"s" * 8, name, 1, (1 << 62) + 5, said, parent, state, failed)
    expected = _field(1, b"t" * 16) + _field(2, b"s" * 8)
    if _text(state):
        expected += _field(3, _text(state))
    if any(parent):
        expected += _field(4, parent)
    expected += _field(5, _text(name)) + b"\x30\x02"
    expected += b"\x39" + (1).to_bytes(8, "little") + b"\x41" + ((1 << 62) + 5).to_bytes(8, "little")
    expected += b"".join(_attribute(*each) for each in attributes)
    assert made == expected + (b"\x7a\x02\x18\x02" if failed else b"")


def test_key() -> None:
    assert key_of(b"n" * 130) == b"\x0a\x82\x01" + b"n" * 130


def test_wrong() -> None:
    writer = SpanWriter()
    with pytest.raises(RuntimeError):
        writer.end(False)
    for trace, own, parent in ((b"", b"s" * 8, bytes(8)), (b"t" * 16, b"s", bytes(8)), (b"t" * 16, b"s" * 8, b"")):
        with pytest.raises(ValueError):
            writer.begin(trace, own, parent, b"", b"", 1, 2)
