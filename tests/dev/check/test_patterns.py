"""Regular expressions as rules see them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dev.check import patterns

# What takes for ever, and what looks like it.
ENDLESS = [
    r"^/(a+)+$", r"(\w*)*x", r"^/(.|x)+/path$", r"^https?://((sub)+)+a\.b$", r"([a-z]+)*/x", r"^(.*)*$", r"^/(a?b?)*c$",
    r"^/([\w\-]+\s?)+$", r"^/(?:a|a[b-z]?)+!$", r"^(\w|\d)+/$",
]  # fmt: skip
FAST = [
    r"(a+)+", r"^/(\w+/)*x$", r"^/(a|b)+$", r"^/(foo[a-w]+x|bar[0-8]+9)+$", r"^([a-z0-9-]+\.)+com$", r"^/(a|ab)+$",
    r"^(.+\.php)(/.+)$", r"^/(?:[^/]+/)*[^/]+$", r"^/([\w-]+)(/[\w-]+)*/?$", r"^/(en|de)/(.*)/(.*)$", r"^/a{2,9}$",
    r"^(?:\d{1,3}\.){3}\d+$", r"^/(?>a+)+$", "(", r"[[:alpha:]]+",
]  # fmt: skip


@pytest.mark.parametrize("pattern", ENDLESS)
def test_endless(pattern: str) -> None:
    assert patterns.backtracks(pattern)


@pytest.mark.parametrize("pattern", FAST)
def test_fast(pattern: str) -> None:
    assert not patterns.backtracks(pattern)


@pytest.mark.parametrize("pattern", [r"^/(a+)+$", r"^/(.|x)+/path$", r"^/(a?b?)*c$"])
def test_endless_ones_are(pattern: str) -> None:
    """Python's engine goes back as PCRE's does: each character more makes it take twice as long, and more."""

    def seconds(length: int) -> float:
        begin = time.process_time()
        assert (
            re.search(pattern, "/" + ("ab" if "b" in pattern else "x" if "x" in pattern else "a") * length + "!")
            is None
        )
        return time.process_time() - begin

    length = 4
    while seconds(length) < 0.002:
        length += 1
    assert seconds(length + 4) > 5 * seconds(length)


def test_loops_behind_each_other() -> None:
    assert patterns.adjacent_loops(r"^/.*.*end$")
    assert patterns.adjacent_loops(r"\d+\d*x")
    assert not patterns.adjacent_loops(r"^/.*end$")
    assert not patterns.adjacent_loops(r"^(.+\.php)(/.+)$")
    assert not patterns.adjacent_loops(r"[a-z]+\d+$")


def test_groups() -> None:
    assert patterns.groups_of(r"^/(a)(?<b>.)(?:c)") == 2
    assert patterns.groups_of("(") is None
    assert patterns.group_named(r"(a)(?<b>.)", "b") == 2
    assert patterns.characters(patterns.group(r"x(a|[b-d]+)", 1)) == patterns.bits("abcd")
    assert patterns.characters(patterns.group(r"(\W*)$", 1)) & patterns.NEWLINE
    assert not patterns.characters(patterns.group(r"(.*)$", 1)) & patterns.NEWLINE
    assert patterns.characters(patterns.group(r"([^/]+)", 1)) & patterns.NEWLINE
    assert patterns.group("a", 1) is None
    assert patterns.before_group("/a/(.*)", 1) == patterns.bits("/")
    assert patterns.before_group("(.*)", 1) is None


@pytest.mark.parametrize(
    ("pattern", "both"),
    [
        ("^a$", (True, True)), ("a$", (False, True)), ("^a", (True, False)), ("^a($|/)", (True, False)),
        ("(^a|^b)$", (True, True)), (r"a\z", (False, True)), ("^a$|b", (False, False)), ("", (False, False)),
    ],
)  # fmt: skip
def test_anchors(pattern: str, both: tuple[bool, bool]) -> None:
    assert patterns.anchored(pattern) == both


def test_one_text() -> None:
    assert patterns.literal(r"^/a\.txt$") == "/a.txt"
    assert patterns.literal(r"^/a.txt$") is None
    assert patterns.literal(r"/a") is None


def test_samples_match() -> None:
    pattern = r"^https?://([^/]+\.)?site\.(org|com)(:\d+)?/x{2}"
    found = patterns.samples(pattern, ("b", "evil"))
    assert len(found) > 8
    assert all(len(text) == len(marks) for text, marks in found)
    some = [text for text, _ in found if patterns.matches(pattern, text)]
    assert "https://evil.site.com/x" not in some
    assert {text.rpartition("/")[0] for text, _ in found} >= {"http://site.org", "https://evil.site.com:0"}


@given(st.text("()|[]^$*+?.\\abw{1,}<>:=!/-", max_size=24))
def test_anything_goes_in(pattern: str) -> None:
    patterns.backtracks(pattern)
    patterns.adjacent_loops(pattern)
    patterns.samples(pattern)
    patterns.anchored(pattern)
    assert patterns.groups_of(pattern) is None or patterns.group(pattern, 0) is not None
