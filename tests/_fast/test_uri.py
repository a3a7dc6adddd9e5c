"""URIs and escapes, on the compiled product and on its plain source."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast import uri as compiled
from tests._fast.plain import plain_twin

plain = plain_twin("uri")


@pytest.fixture(params=["compiled", "plain"])
def uri(request: pytest.FixtureRequest) -> ModuleType:
    return compiled if request.param == "compiled" else plain


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", (b"/", b"", b"")),
        (b"/a/b.html?x=1&y", (b"/a/b.html", b"x=1&y", b"html")),
        (b"/a//b", (b"/a/b", b"", b"")),
        (b"//", (b"/", b"", b"")),
        (b"/a/./b/.", (b"/a/b/", b"", b"")),
        (b"/a/b/../c", (b"/a/c", b"", b"")),
        (b"/a/b/..", (b"/a/", b"", b"")),
        (b"/a/b/..?x", (b"/a/", b"x", b"")),
        (b"/a/b/..#x", (b"/a/", b"", b"")),
        (b"/a/.?x", (b"/a/", b"x", b"")),
        (b"/a/.#", (b"/a/", b"", b"")),
        (b"/a/...", (b"/a/...", b"", b"")),
        (b"/a/..b", (b"/a/..b", b"", b"")),
        (b"/.htaccess", (b"/.htaccess", b"", b"")),
        (b"/.a.gz", (b"/.a.gz", b"", b"gz")),
        (b"/a.b/c", (b"/a.b/c", b"", b"")),
        (b"/a.", (b"/a.", b"", b"")),
        (b"/%41%2f%42", (b"/A/B", b"", b"")),
        (b"/%2e%2e%2fa/%2E", None),
        (b"/x/%2e%2E/y", (b"/y", b"", b"")),
        (b"/x%2f..%2fy", (b"/y", b"", b"")),
        (b"/%25%32%30", (b"/%20", b"", b"")),
        (b"/a%3fb?c", (b"/a?b", b"c", b"")),
        (b"/a%23b#c", (b"/a#b", b"", b"")),
        (b"/a?b#c?d", (b"/a", b"b", b"")),
        (b"/a#b?c", (b"/a", b"", b"")),
        (b"/a+b%2b", (b"/a+b+", b"", b"")),
        (b"/a?%zz", (b"/a", b"%zz", b"")),
        (b"/\xc3\xa9%c3%a9", (b"/\xc3\xa9\xc3\xa9", b"", b"")),
        (b"/..", None),
        (b"/../", None),
        (b"/a/../..", None),
        (b"/a/../../b", None),
        (b"/%", None),
        (b"/%4", None),
        (b"/%4g", None),
        (b"/%g4", None),
        (b"/%00", None),
    ],
)
def test_normalize(uri: ModuleType, target: bytes, expected: tuple[bytes, bytes, bytes] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError):
            uri.normalize(target)
    else:
        assert uri.normalize(target) == expected


def test_slashes_kept(uri: ModuleType) -> None:
    assert uri.normalize(b"/a//b///c", False)[0] == b"/a//b///c"
    assert uri.normalize(b"/a//../b", False)[0] == b"/a/b"
    assert uri.normalize(b"//a.b//c", False) == (b"//a.b//c", b"", b"")


def test_empty_path(uri: ModuleType) -> None:
    assert uri.normalize(b"?a=b", True, True) == (b"/", b"a=b", b"")


PRINTABLE = bytes(range(0x20, 0x80))


@pytest.mark.parametrize(
    ("kind", "escaped"),
    [
        ("uri", b' "#%<>?\\^`{|}\x7f'),
        ("args", b' "#%&+;<>?\\^`{|}\x7f'),
        ("uri_component", b" !\"#$%&'()*+,/:;<=>?@[\\]^`{|}\x7f"),
        ("html", b" \"#%'<>\\^`{|}\x7f"),
        ("refresh", b" \"'<>\\^`{|~\x7f"),
        ("memcached", b" %"),
        ("mail_auth", b" %"),
        ("mail_xtext", b" +=\x7f"),
    ],
)
def test_escape(uri: ModuleType, kind: str, escaped: bytes) -> None:
    assert bytes(c for c in PRINTABLE if uri.escape(bytes([c]), kind) != bytes([c])) == escaped
    assert uri.escape(b"a\nb", kind) == (b"a+0Ab" if kind == "mail_xtext" else b"a%0Ab")
    high = b"\xe9" if kind in ("memcached", "mail_auth") else b"+E9" if kind == "mail_xtext" else b"%E9"
    assert uri.escape(b"\xe9", kind) == high


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b"a%20b%3Fc%41?%41", "all", b"a b?cA?A"),
        (b"a%20b?%41", "uri", b"a b?%41"),
        (b"a%20b%3f%41", "uri", b"a b?%41"),
        (b"a%20b%41%25%26?%41", "redirect", b"a%20bA%25&?%41"),
        (b"%e9%7f%7E", "redirect", b"%e9%7f~"),
        (b"%zz%4g%", "all", b"zz"),
        (b"%4", "all", b""),
        (b"%?%41", "uri", b"?A"),
    ],
)
def test_unescape(uri: ModuleType, data: bytes, kind: str, expected: bytes) -> None:
    assert uri.unescape(data, kind) == expected


def test_escape_html_and_json(uri: ModuleType) -> None:
    assert uri.escape_html(b"<a href=\"x\">&'") == b"&lt;a href=&quot;x&quot;&gt;&amp;'"
    assert uri.escape_json(b'a"\\\n\r\t\b\f\x00\x1f\x7f\xff/') == b'a\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001F\x7f\xff/'


@pytest.mark.parametrize(
    ("args", "name", "expected"),
    [
        (b"a=1&b=2", b"b", b"2"),
        (b"a=1&B=2&b=3", b"b", b"2"),
        (b"ab=1&b=2", b"b", b"2"),
        (b"xb=1&b", b"b", None),
        (b"b", b"b", None),
        (b"b=", b"b", b""),
        (b"b=&c", b"b", b""),
        (b"b==1", b"b", b"=1"),
        (b"a&b=1", b"B", b"1"),
        (b"a=b=1", b"b", None),
        (b"", b"b", None),
        (b"=1", b"", None),
    ],
)
def test_args_get(uri: ModuleType, args: bytes, name: bytes, expected: bytes | None) -> None:
    assert uri.args_get(args, name) == expected


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ([b"a=1; b=2"], b"b", b"2"),
        ([b"a=1", b"b=2; c=3"], b"B", b"2"),
        ([b"a = 1 ;b=2"], b"a", b"1 "),
        ([b"ab=1;b=2"], b"b", b"2"),
        ([b"ab=1;a=2"], b"a", b"2"),
        ([b"a; a=1"], b"a", None),
        ([b"a;b; a=1"], b"a", b"1"),
        ([b"a=1, b=2; c=3"], b"a", b"1, b=2"),
        ([b"a"], b"a", None),
        ([b"a="], b"a", b""),
        ([], b"a", None),
    ],
)
def test_cookie_get(uri: ModuleType, values: list[bytes], name: bytes, expected: bytes | None) -> None:
    assert uri.cookie_get(values, name) == expected


def test_set_cookie_get(uri: ModuleType) -> None:
    values = [b"a=1; b=2", b"B = 3; path=/", b"c"]
    assert [uri.set_cookie_get(values, name) for name in (b"a", b"b", b"c", b"path")] == [b"1", b"3", None, None]


@pytest.mark.parametrize(
    ("given_uri", "expected"),
    [
        (b"/a?b", (b"/a", b"b")),
        (b"/a%20b?%20", (b"/a b", b"%20")),
        (b"a", (b"a", b"")),
        (b"/..a/...", (b"/..a/...", b"")),
        (b"", None),
        (b"?a", None),
        (b"..", None),
        (b"../a", None),
        (b"/a/../b", None),
        (b"/a/..", None),
        (b"/a/..?b", None),
        (b"/a/%2e%2e", None),
        (b"%2e./a", None),
        (b"/a\0", None),
        (b"/a%00", None),
    ],
)
def test_safe_uri(uri: ModuleType, given_uri: bytes, expected: tuple[bytes, bytes] | None) -> None:
    assert uri.safe_uri(given_uri) == expected


def outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ValueError:
        return ValueError


paths = st.lists(
    st.sampled_from([b"/", b".", b"..", b"a", b"%2e", b"%2F", b"%25", b"%23", b"?", b"#", b"%3f", b"%", b"+", b"\xe9"])
).map(b"".join)
anything = st.binary(max_size=40) | paths


@given(anything, st.booleans(), st.booleans())
def test_twins_normalize(target: bytes, merge: bool, empty: bool) -> None:
    assert outcome(compiled.normalize, target, merge, empty) == outcome(plain.normalize, target, merge, empty)


@given(anything, st.sampled_from(["uri", "args", "uri_component", "html", "refresh", "memcached", "mail_xtext"]))
def test_twins_escape(data: bytes, kind: str) -> None:
    assert compiled.escape(data, kind) == plain.escape(data, kind)


@given(anything, st.sampled_from(["all", "uri", "redirect"]))
def test_twins_unescape(data: bytes, kind: str) -> None:
    assert compiled.unescape(data, kind) == plain.unescape(data, kind)


pairs = st.lists(st.sampled_from([b"a", b"A", b"b", b"=", b"&", b";", b" ", b"1"])).map(b"".join)


@given(st.lists(pairs, max_size=3), st.sampled_from([b"a", b"b", b"ab"]))
def test_twins_lookups(values: list[bytes], name: bytes) -> None:
    for lookup in ("cookie_get", "set_cookie_get"):
        assert getattr(compiled, lookup)(values, name) == getattr(plain, lookup)(values, name)
    for value in values:
        assert compiled.args_get(value, name) == plain.args_get(value, name)


@given(st.binary())
def test_escape_then_unescape(data: bytes) -> None:
    assert compiled.unescape(compiled.escape(data, "uri_component")) == data


@given(paths)
def test_normalized_has_no_dots(target: bytes) -> None:
    result = outcome(compiled.normalize, b"/" + target)
    if result is not ValueError:
        path = result[0]
        assert path.startswith(b"/") and b"//" not in path
        assert not {b".", b".."} & set(path.split(b"/"))
