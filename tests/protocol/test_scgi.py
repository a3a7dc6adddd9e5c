from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.scgi import BadRequest, decode, encode

text = st.binary().filter(lambda value: b"\0" not in value)


def test_a_request() -> None:
    assert encode([(b"SCGI", b"1")], 27) == b"25:CONTENT_LENGTH\x0027\x00SCGI\x001\x00,"


@given(st.lists(st.tuples(text, text)), st.integers(0), st.binary())
def test_there_and_back(pairs: list[tuple[bytes, bytes]], length: int, body: bytes) -> None:
    data = encode(pairs, length)
    assert decode(data + body) == ([(b"CONTENT_LENGTH", b"%d" % length), *pairs], body)
    assert all(decode(data[:at]) is None for at in range(0, len(data), 7))


@pytest.mark.parametrize("data", [b"x", b"x:", b"3:a\0b\0", b"4:a\0b\0x", b"3:a\0b,", b":"])
def test_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(data)
