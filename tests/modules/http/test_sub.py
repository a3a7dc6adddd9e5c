"""sub: what is replaced, in which order, and that no split of a body matters."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.search import Search
from gateway.config.errors import ConfigError
from gateway.core.pieces import Inserted
from gateway.modules.http.sub import Substitution
from tests.engine import load_http, serving


def replaced(parts: list[bytes], pairs: list[tuple[bytes, bytes]], *, once: bool = False) -> bytes:
    values = [lambda request, value=value: value for _, value in pairs]
    search = Search({number: string for number, (string, _) in enumerate(pairs)})
    request: Any = None
    substitution = Substitution(request, search, values, once=once)
    out: list[bytes] = []
    for part in parts:
        out += substitution([part], False, False)  # type: ignore[arg-type]
    out += substitution([], True, False)  # type: ignore[arg-type]
    return b"".join(out)


@pytest.mark.parametrize(
    ("body", "pairs", "once", "expected"),
    [
        (b"aXbxc", [(b"x", b"-")], False, b"a-b-c"),
        (b"aXbxc", [(b"x", b"-")], True, b"a-bxc"),
        (b"xyxy", [(b"x", b"1"), (b"y", b"2")], True, b"12xy"),
        (b"xyxy", [(b"x", b""), (b"y", b"22")], False, b"2222"),
        # at one place the first of the configuration counts
        (b"foobar", [(b"foo", b"1"), (b"foobar", b"2")], False, b"1bar"),
        (b"foobar", [(b"foobar", b"2"), (b"foo", b"1")], False, b"2"),
        (b"fooba.", [(b"foobar", b"2"), (b"foo", b"1")], False, b"1ba."),
        (b"fooba", [(b"foobar", b"2"), (b"foo", b"1")], False, b"fooba"),
        # the earlier place, though the other string ends first
        (b"abcdef", [(b"cd", b"2"), (b"abcdef", b"1")], False, b"1"),
        (b"abcdex", [(b"cd", b"2"), (b"abcdef", b"1")], False, b"ab2ex"),
        (b"aaa", [(b"aa", b"b")], False, b"ba"),
        (b"\xc3\x84", [(b"\xc3\xa4", b"a")], False, b"\xc3\x84"),
        (b"(.)*", [(b"(.)", b"!"), (b"*", b"?")], False, b"!?"),
        (b"", [(b"x", b"y")], False, b""),
    ],
)
def test_what_is_replaced(body: bytes, pairs: list[tuple[bytes, bytes]], once: bool, expected: bytes) -> None:
    assert replaced([body], pairs, once=once) == expected
    assert replaced([body[at : at + 1] for at in range(len(body))], pairs, once=once) == expected
    for at in range(len(body)):
        assert replaced([body[:at], body[at:]], pairs, once=once) == expected


TEXT = st.text("abcAB", max_size=30).map(str.encode)
STRINGS = st.lists(st.text("abc", min_size=1, max_size=4).map(str.encode), min_size=1, max_size=4)


@given(TEXT, STRINGS, st.lists(st.integers(0, 30), max_size=6), st.booleans())
def test_any_split_gives_the_same(body: bytes, strings: list[bytes], cuts: list[int], once: bool) -> None:
    pairs = [(string, b"<%d>" % number) for number, string in enumerate(strings)]
    body += b"|"  # no string may begin at the end
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    parts = [body[a:b] for a, b in itertools.pairwise(places)]
    whole = replaced([body], pairs, once=once)
    assert replaced(parts, pairs, once=once) == whole
    if not once:
        pattern = b"|".join(b"(%b)" % re.escape(string) for string in strings)
        assert whole == re.sub(pattern, lambda found: b"<%d>" % ((found.lastindex or 1) - 1), body, flags=re.IGNORECASE)


def test_what_is_held_goes_before_an_insertion() -> None:
    request: Any = None
    substitution = Substitution(request, Search({0: b"foobar"}), [lambda request: b"x"], once=True)
    inserted = Inserted()
    assert substitution([b"foo", inserted.piece, b"bar"], True, False) == [b"foo", inserted, b"bar"]


async def test_responses(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("Foo foo" + "." * 100_000 + "foo")
    (tmp_path / "a.txt").write_text("foo")
    (tmp_path / "empty.html").write_text("")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; types {{ text/html html; text/plain txt; }}
        sub_filter FOO "<$uri>";
        location / {{ }}
        location /all/ {{ alias {tmp_path}/; sub_filter_types *; sub_filter_once off; sub_filter_last_modified on; }}
        location /own/ {{ alias {tmp_path}/; sub_filter $arg_a A; sub_filter "$arg_b-" B; sub_filter_once off; }}
        location /none/ {{ alias {tmp_path}/; sub_filter $arg_a A; }}
        }}"""
    async with serving(text) as engine:
        reply = await engine.get("/a.html", {"Range": "bytes=0-1"})
        assert reply.body == b"</a.html> foo" + b"." * 100_000 + b"foo"
        for name in ("content-length", "last-modified", "etag", "accept-ranges"):
            assert reply.header(name) is None
        assert (await engine.get("/a.txt")).body == b"foo"
        assert (await engine.get("/empty.html")).header("content-length") == b"0"
        reply = await engine.get("/all/a.html")
        assert reply.body == b"</all/a.html> </all/a.html>" + b"." * 100_000 + b"</all/a.html>"
        assert reply.header("last-modified") and (reply.header("etag") or b"").startswith(b"W/")
        assert (await engine.get("/all/a.txt")).body == b"</all/a.txt>"
        # strings are looked for without regard to case wherever they come from; an empty one is none
        assert (await engine.get("/own/a.html?a=OO")).body.startswith(b"FA fA.")
        reply = await engine.get("/none/a.html")
        assert reply.body.startswith(b"Foo foo") and reply.header("content-length")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('sub_filter "" a;', "empty search pattern"),
        ("sub_filter a b;" * 256, "number of search patterns exceeds 255"),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(f"server {{ {line} }}")
