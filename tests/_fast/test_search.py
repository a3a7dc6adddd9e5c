"""Strings found and replaced, whatever the parts that a body comes in; the plain way to do it is the witness."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.search import Replacer, Search


def plainly(body: bytes, strings: list[bytes], values: list[bytes], once: bool) -> bytes:
    """The same from place to place, and string to string; at the end of the body nothing is unfinished."""
    out = bytearray()
    left = dict(enumerate(strings))
    at = 0
    while at < len(body):
        for number, string in left.items():
            if body[at : at + len(string)].lower() == string:
                out += values[number]
                at += len(string)
                if once:
                    del left[number]
                break
        else:
            out.append(body[at])
            at += 1
    return bytes(out)


def replaced(parts: list[bytes], strings: list[bytes], values: list[bytes], once: bool) -> tuple[bytes, list[int]]:
    asked: list[int] = []

    def value_of(number: int) -> bytes:
        asked.append(number)
        return values[number]

    replacer = Replacer(Search(dict(enumerate(strings))), value_of, once)
    out: list[bytes] = []
    for part in parts:
        replacer.feed(part, out)
    out.append(replacer.finish())
    assert b"" not in out[:-1]
    return b"".join(out), asked


STRINGS = st.lists(st.text("abc", min_size=1, max_size=9).map(str.encode), min_size=1, max_size=5)


@given(
    st.text("abcABC.", max_size=200).map(str.encode),
    STRINGS,
    st.lists(st.integers(0, 200), max_size=8),
    st.booleans(),
    st.lists(st.sampled_from([b"", b"-", b"ab", b"x" * 256, b"y" * 257]), min_size=5, max_size=5),
)
def test_as_plainly(body: bytes, strings: list[bytes], cuts: list[int], once: bool, values: list[bytes]) -> None:
    body += b"|"  # no string begins there
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    parts = [body[a:b] for a, b in itertools.pairwise(places)]
    made, asked = replaced(parts, strings, values, once)
    assert made == plainly(body, strings, values, once)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("size", [1, 2, 254, 255, 256, 300, 600])
def test_strings_of_any_length(size: int) -> None:
    string = bytes(97 + i * i % 23 for i in range(size))
    body = (b"." + string + b"!" + string[: size // 2] + b"?") * 3 + string.upper()
    for step in (1, 7, 255, 10_000):
        parts = [body[at : at + step] for at in range(0, len(body), step)]
        assert replaced(parts, [string], [b"<>"], False)[0] == plainly(body, [string], [b"<>"], False)


def test_many_strings_at_once() -> None:
    strings = [b"name%d;" % number for number in range(255)]
    values = [b"<%d>" % number for number in range(255)]
    body = b"".join(b"%s and " % string.title() for string in reversed(strings))
    assert replaced([body], strings, values, False)[0] == plainly(body, strings, values, False)
    assert replaced([body, body], strings, values, True)[0] == plainly(body, strings, values, True) + body


def test_nothing_found_is_not_copied() -> None:
    replacer = Replacer(Search({0: b"needle"}), lambda number: b"", False)
    data = b"hay" * 1000
    out: list[bytes] = []
    replacer.feed(data, out)
    assert out[0] is data and not replacer.held


def test_once_all_are_replaced_it_is_done() -> None:
    replacer = Replacer(Search({7: b"a", 8: b"b"}), lambda number: b"%d" % number, True)
    out: list[bytes] = []
    replacer.feed(b"xaa", out)
    assert not replacer.done
    replacer.feed(b"bb", out)
    assert replacer.done and b"".join(out) == b"x7a8b"
    rest = b"aabb"
    replacer.feed(rest, out)
    assert out[-1] is rest


def test_only_what_may_go_on_is_held() -> None:
    replacer = Replacer(Search({0: b"foobar", 1: b"foo"}), lambda number: b"-", False)
    out: list[bytes] = []
    replacer.feed(b"foo barfo", out)
    assert out == [b"- bar"] and replacer.held == b"fo"
    replacer.feed(b"obaz", out)
    assert b"".join(out) == b"- bar-baz" and not replacer.held


def test_memory_of_long_replacements_is_shared() -> None:
    value = b"v" * 10_000
    replacer = Replacer(Search({0: b"a"}), lambda number: value, False)
    out: list[bytes] = []
    replacer.feed(b"a" * 1000, out)
    assert len(out) == 1000 and all(piece is value for piece in out)


def test_an_exception_of_a_value_is_passed_on() -> None:
    def fails(number: int) -> bytes:
        raise LookupError(number)

    with pytest.raises(LookupError):
        Replacer(Search({0: b"a"}), fails, False).feed(b"xa", [])


@pytest.mark.parametrize("strings", [{}, {0: b""}])
def test_no_string(strings: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match=r"string"):
        Search(strings)
