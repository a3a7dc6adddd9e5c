"""Recoding by tables: what is invalid, what a table has not, and bodies in parts of any size."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.recode import FromUtf8, Points, ToUtf8, decode


def test_decoding_skips_as_nginx_does() -> None:
    assert decode("я".encode()) == (0x44F, 2)
    assert decode("€b".encode()) == (0x20AC, 3)
    assert decode("😀".encode()) == (0x1F600, 4)
    assert decode(b"a") == (97, 1)
    assert decode(b"") == (-1, 0)
    assert decode(b"\x80") == (-2, 1)
    assert decode(b"\xff") == (-2, 1)
    assert decode(b"\xc3") == (-1, 0)
    assert decode(b"\xc3a") == (-2, 2)
    assert decode(b"\xe0\x80\x80") == (-2, 3)  # overlong


def points() -> Points:
    table = Points()
    for byte in range(1, 128):
        table.add(byte, byte)
    table.add(0x44F, 0xD1)
    return table


def test_from_utf8_in_parts_of_any_size() -> None:
    text = "a я € 😀 b".encode() + b"\x80c\0"
    for cut in range(len(text) + 1):
        recode = FromUtf8(points())
        assert recode(text[:cut]) + recode(text[cut:]) == b"a \xd1 &#8364; &#128512; b?c\0"
    assert FromUtf8(points())(b"") == b""


@given(st.text(), st.lists(st.integers(0, 60), max_size=4))
def test_from_utf8_is_what_python_has_for_latin_1(text: str, cuts: list[int]) -> None:
    table = Points()
    for point in range(1, 256):
        table.add(point, point)
    data = text.encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    recode = FromUtf8(table)
    made = b"".join(recode(data[a:b]) for a, b in itertools.pairwise(places))
    assert made == text.encode("latin-1", "xmlcharrefreplace")


@given(st.binary())
def test_to_utf8(data: bytes) -> None:
    texts = [bytes([byte]) if byte < 128 else chr(0x2000 + byte).encode() for byte in range(256)]
    assert ToUtf8(texts)(data) == b"".join(texts[byte] for byte in data)
    texts[65] = "я".encode()
    assert ToUtf8(texts)(data) == b"".join(texts[byte] for byte in data)


def test_ascii_is_not_copied() -> None:
    data = b"plain" * 10
    assert ToUtf8([bytes([byte]) if byte < 128 else b"?" for byte in range(256)])(data) is data
    assert FromUtf8(points())(data) is data


@pytest.mark.parametrize("texts", [[b"x"] * 255, [b""] * 256, [b"12345"] * 256])
def test_no_table(texts: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"not "):
        ToUtf8(texts)


def test_no_point() -> None:
    with pytest.raises(ValueError, match=r"two bytes"):
        Points().add(0x10000, 1)
