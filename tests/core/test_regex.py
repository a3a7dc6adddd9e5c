"""regex: nginx's regular expressions on bytes."""

from __future__ import annotations

import gc
import threading

import pytest

from gateway.core.regex import MatchError, Regex, RegexError


def test_groups_by_number_and_by_name() -> None:
    regex = Regex(r"^/(?<lang>\w\w)/(x)?(?<rest>.*)$")
    captures = regex.search(b"/en/page")
    assert captures is not None
    assert captures.named == regex.named == ("lang", "rest")
    assert captures.group(0) == b"/en/page"
    assert captures.group(1) == captures.group("lang") == b"en"
    assert captures.group(2) is None
    assert captures.group("rest") == b"page"
    assert captures.group(9) is None
    assert captures.group("nobody") is None
    assert captures.span() == (0, 8)
    assert captures.span(2) == (-1, -1)
    assert regex.search(b"nothing") is None
    assert not regex.test(b"nothing") and regex.test(b"/en/")


@pytest.mark.parametrize(
    ("pattern", "subject", "match"),
    [
        (r"a++b", b"xaab", b"aab"),
        (r"a++a", b"aaa", None),
        (r"x\h+y", b"x \ty", b"x \ty"),
        (r"\x{41}", b"xA", b"A"),
        (r"\x41", b"xA", b"A"),
        (r"(?i)abc", b"ABC", b"ABC"),
        (r"^\d+\K\w", b"12x", b"x"),
        (r"(a|(?1)b)", b"ab", b"a"),
        (r"^.$", b"\xe9", b"\xe9"),
        (r"^.$", "é".encode(), None),
        (r"\w", b"\xe9", None),
        (r"^é$", "é".encode(), "é".encode()),
        (r"", b"", b""),
        (r"a.b", b"a\0b", b"a\0b"),
        (r"$", b"a\n", b""),
    ],
)
def test_the_language(pattern: str, subject: bytes, match: bytes | None) -> None:
    captures = Regex(pattern).search(subject)
    assert (captures.group(0) if captures else None) == match


def test_caseless() -> None:
    assert Regex(r"\.PHP$", caseless=True).test(b"/index.php")
    assert not Regex(r"\.PHP$").test(b"/index.php")


# as nginx prints them with the same libpcre2
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", 'missing closing parenthesis in "("'),
        ("[z-a]x", 'range out of order in character class in "[z-a]x" at "]x"'),
        ("a**", 'quantifier does not follow a repeatable item in "a**"'),
        ("a)b", 'unmatched closing parenthesis in "a)b" at "b"'),
        ("é)ß", 'unmatched closing parenthesis in "é)ß" at "ß"'),
        ("(?<1a>x)", 'subpattern name must start with a non-digit in "(?<1a>x)" at "a>x)"'),
    ],
)
def test_messages(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        Regex(pattern)
    assert str(caught.value) == "pcre2_compile() failed: " + message


def test_the_limit_of_backtracking_is_an_error_not_a_hang() -> None:
    with pytest.raises(MatchError, match=r"pcre2_match\(\) failed: -47 on"):
        Regex(r"(a+)+$").search(b"a" * 40 + b"b")


def test_a_match_too_deep_for_the_jit_is_done_by_the_interpreter() -> None:
    subject = b"ab" * 20000
    assert Regex(r"^(a|b|ab)*$").test(subject)
    captures = Regex(r"^(?:(a)|(b))*$").search(subject)
    assert captures is not None and captures.group(2) == b"b"


def test_invalid_utf8_is_an_error_only_when_the_pattern_asks() -> None:
    assert Regex("x").test(b"\xff\xfex")
    assert Regex("(*UTF)^.$").test("é".encode())
    with pytest.raises(MatchError):
        Regex("(*UTF)x").search(b"\xff\xfex")


def test_threads_and_collections() -> None:
    regex = Regex(r"^(?<n>\d+)-(.*)$")
    wrong: list[object] = []

    def work(seed: int) -> None:
        for i in range(2000):
            captures = regex.search(b"%d-%d" % (i, seed))
            if captures is None or captures.group("n") != b"%d" % i or captures.group(2) != b"%d" % seed:
                wrong.append((seed, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        gc.collect()
    for thread in threads:
        thread.join()
    assert wrong == []
