"""pcre2: the system's library beside the package's, over patterns and subjects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.pcre2 import Pattern, group, span
from gateway.core.regex import Regex

_CASELESS = 8


def pattern(text: bytes, options: int = 0) -> Pattern:
    try:
        return Pattern(text, options)
    except LookupError as error:
        if "no libpcre2" in str(error):
            pytest.skip(str(error))
        raise


def test_groups() -> None:
    found = pattern(rb"(a)|(b)(c)?").find(b"xbx")
    assert isinstance(found, bytes)
    assert [group(b"xbx", found, number) for number in range(-1, 5)] == [None, b"b", None, b"b", None, None]
    assert [span(found, number) for number in (0, 1, 2, 3, 9)] == [(1, 2), (-1, -1), (1, 2), (-1, -1), (-1, -1)]


def test_what_was_found_stays_when_the_pattern_goes_on() -> None:
    words = pattern(rb"(\w+)")
    first, second = words.find(b"one"), words.find(b"  three")
    assert isinstance(first, bytes) and isinstance(second, bytes)
    assert (group(b"one", first, 1), group(b"  three", second, 1)) == (b"one", b"three")


def test_nothing_found_and_what_cannot_be_decided() -> None:
    assert pattern(b"x").find(b"abc") is None
    assert pattern(b"ABC", _CASELESS).find(b"abc") is not None
    assert pattern(rb"(a+)+$").find(b"a" * 40 + b"b") == -47


def test_what_it_does_not_take() -> None:
    pattern(b"x")
    with pytest.raises(LookupError, match="does not take"):
        Pattern(b"(", 0)
    with pytest.raises(TypeError):
        pattern(b"x").find(None)  # type: ignore[arg-type]


PATTERNS = (
    r"^/(?<name>[0-9]+k)$",
    r"\.(jpg|png)$",
    r"(a)|(b)(c)?",
    r"(?i)x(y*)z",
    r"^(?!/\.)",
    r"\R",
    r".",
    r"(.*)/(.*)",
    r"a\b",
    r"$",
)


@pytest.mark.parametrize("text", PATTERNS)
@given(subject=st.text("abcxyzXYZ/.019 \n\r", max_size=20).map(str.encode))
def test_the_package_finds_the_same(text: str, subject: bytes) -> None:
    regex = Regex(text)
    by_package = regex._slowly(subject)
    found = pattern(text.encode()).find(subject)
    assert (by_package is None) == (found is None)
    if found is not None:
        from pcre2 import _cy

        assert isinstance(found, bytes)
        for number in range(regex.groups + 1):
            assert span(found, number) == _cy.match_substring_span_bynumber(by_package, subject, number)
