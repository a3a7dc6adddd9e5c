"""Header lines, scanned and compared many bytes at a time: beside what the rules say byte by byte."""

from __future__ import annotations

import itertools
import random
import string

import pytest

from gateway._fast.http1 import HeadError, RequestParser, parse_head
from gateway._fast.request_head import HeadLimits

USUAL = (string.ascii_letters + string.digits + "-").encode()
LINE = b"GET / HTTP/1.1\r\nHost: a\r\n"
KEEP = HeadLimits(ignore_invalid_headers=False)


def get(line: bytes, name: bytes, limits: HeadLimits | None = None) -> bytes | None:
    head = parse_head(LINE + line + b"\r\n", limits=limits)
    assert head is not None
    return head.get(name)


@pytest.mark.parametrize("length", [*range(1, 20), 31, 32, 33, 40])
def test_a_name_of_any_length_is_found_in_any_case(length: int) -> None:
    chance = random.Random(length)
    for _ in range(40):
        name = bytes(chance.choice(USUAL) for _ in range(length))
        assert get(name + b": value\r\n", name.lower()) == b"value"
        assert get(name.swapcase() + b": value\r\n", name.lower()) == b"value"
        place = chance.randrange(length)
        other = chance.choice([c for c in USUAL if bytes([c]).lower() != name[place : place + 1].lower()])
        changed = name[:place] + bytes([other]) + name[place + 1 :]
        assert get(changed + b": value\r\n", name.lower()) is None


def test_only_letters_have_a_case() -> None:
    # the sixth bit alone is what letters differ in, and what tells other pairs apart
    for low, place in itertools.product(range(0x21, 0x7F), (0, 5, 9)):
        high = low ^ 0x20
        if 58 in (low, high) or not 0x21 <= high < 0x7F:
            continue
        name = bytearray(b"x-longnames")
        name[place] = low
        asked = bytes(name).lower()
        name[place] = high
        same = bytes(name).lower() == asked
        assert (get(bytes(name) + b": v\r\n", asked, KEEP) == b"v") == same, name


@pytest.mark.parametrize(
    ("length", "place"), [(length, place) for length in (1, 7, 8, 9, 15, 16, 17, 20) for place in range(length)]
)
def test_what_a_name_may_not_have(length: int, place: int) -> None:
    for byte in range(256):
        name = bytearray(b"N" * length)
        name[place] = byte
        line = bytes(name) + b": value"
        if byte in (10, 13, 58):
            continue
        if byte <= 0x20 or byte == 0x7F:
            with pytest.raises(HeadError, match="invalid header line"):
                parse_head(LINE + line + b"\r\n\r\n")
        elif byte in USUAL:
            assert get(line + b"\r\n", bytes(name).lower()) == b"value"
        else:
            assert get(line + b"\r\n", bytes(name).lower()) is None
            assert get(line + b"\r\n", bytes(name).lower(), KEEP) == b"value"


@pytest.mark.parametrize("size", [*range(20), 63, 64, 65])
def test_values_end_where_they_end(size: int) -> None:
    chance = random.Random(size)
    for begin, end, space in itertools.product(("", " ", "   "), ("\r\n", "\n", "\r\r\n"), ("", " ", "  ")):
        value = bytes(chance.choice(b"\t abz\x01\x1f\x7f\x80\xff,;=") for _ in range(size))
        line = b"X-Value:" + begin.encode() + value + space.encode() + end.encode()
        if b"\x00" not in value:
            assert get(line, b"x-value") == value.strip(b" "), line


def test_a_value_with_a_nul_is_refused() -> None:
    for place in range(20):
        value = bytearray(b"v" * 20)
        value[place] = 0
        with pytest.raises(HeadError, match="invalid header line"):
            parse_head(LINE + b"X: " + bytes(value) + b"\r\n\r\n")


def test_cut_at_any_byte_it_is_the_same() -> None:
    whole = (
        LINE + b"User-Agent: curl/8\r\nX_Under: a\nAccept:*/*\r\nEmpty:\r\nLast-One:   two  words  \r\nNo-Colon\r\n"
        b"A-Name-That-Is-Longer-Than-Sixteen-Bytes: \t tab\r\n\r\n"
    )
    expected = parse_head(whole)
    assert expected is not None
    for cut in range(1, len(whole)):
        parser = RequestParser()
        assert parser.feed(whole[:cut]) is None
        head = parser.feed(whole[cut:])
        assert head is not None
        assert head.fields() == expected.fields(), cut


def test_a_dash_and_an_underscore_are_one_in_a_variable() -> None:
    limits = HeadLimits(underscores_in_headers=True)
    for sent in (b"X-One-Two-Three", b"x_one_two_three", b"X-one_Two-THREE"):
        head = parse_head(LINE + sent + b": v\r\n\r\n", limits=limits)
        assert head is not None
        assert head.variable(b"x_one_two_three") == b"v"
        assert head.get(b"x-one-two-three") == (b"v" if b"_" not in sent else None)
