"""units: nginx's numbers, sizes and times."""

from __future__ import annotations

import pytest

from gateway.config.units import (
    MAX_INTEGER,
    number_of,
    parse_number,
    parse_offset,
    parse_seconds,
    parse_size,
    parse_time_ms,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((b"0", 0), (b"80", 80), ("0" * 5000 + "7", 7), (b"0" * 5000, 0), (b"%d" % MAX_INTEGER, MAX_INTEGER)),
        *((b"%d" % (MAX_INTEGER + 1), MAX_INTEGER + 1), (b"9" * 5000, MAX_INTEGER + 1), ("9" * 20, MAX_INTEGER + 1)),
    ],
)
def test_digits_that_anybody_sent(text: str | bytes, value: int) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("8k", 8192),
        ("8K", 8192),
        ("1m", 1 << 20),
        ("1M", 1 << 20),
        ("007", 7),
        (str(MAX_INTEGER), MAX_INTEGER),
    ],
)
def test_size(text: str, value: int) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k",
        "-1",
        "+1",
        "1g",
        "1kk",
        " 1",
        "1 k",
        "1.5m",
        "\u0661",
        str(MAX_INTEGER + 1),
        f"{MAX_INTEGER}k",
        "9" * 5000,
    ],
)
def test_bad_size(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


def test_offset_knows_gigabytes() -> None:
    assert parse_offset("2g") == parse_offset("2G") == parse_offset("2048m") == 2 << 30
    for bad in ("g", f"{MAX_INTEGER // 2}g", "1t", ""):
        with pytest.raises(ValueError):
            parse_offset(bad)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        ("1m", 60),
        ("1m30s", 90),
        ("1h 30m", 5400),
        ("1y", 31536000),
        ("1M", 2592000),
        ("2w", 1209600),
        ("1d12h", 129600),
        ("1y1M1w1d1h1m1s", 34822861),
        ("5 ", 5),
        ("5 3", 8),
        ("1m 5", 65),
        ("m1s", 1),
        (" 5", 5),
    ],
)
def test_seconds(text: str, seconds: int) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", " ", "1ms", "1x", "1s1m", "1m1m", "1s 1s", "-1", "1.5s", f"{MAX_INTEGER}m", str(MAX_INTEGER + 1), " s1"],
)
def test_bad_seconds(text: str) -> None:
    with pytest.raises(ValueError):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("1", 1000), ("1s500ms", 1500), ("1m30s", 90000), ("0", 0), ("5ms 3", 3005)],
)
def test_time_ms(text: str, milliseconds: int) -> None:
    assert parse_time_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["1y", "1M", "1ms1s", "1ms1ms", "", "ms", f"{MAX_INTEGER // 1000 + 1}"])
def test_bad_time_ms(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time_ms(text)


def test_number() -> None:
    assert parse_number("42") == 42
    for bad in ("", "-1", "4 2", "0x2a"):
        with pytest.raises(ValueError):
            parse_number(bad)
