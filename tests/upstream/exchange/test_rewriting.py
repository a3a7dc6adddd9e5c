from __future__ import annotations

from typing import Any, cast

import pytest

from gateway.core.regex import Regex
from gateway.upstream.exchange import rewriting
from gateway.upstream.exchange.rewriting import FlagRule, constant, domain_rule, prefix_rule, redirect_field, regex_rule


class FakeRequest:
    """What the rules ask of a request: somewhere to put the groups of a match."""

    captures: Any = None

    def matched(self, captures: Any) -> None:
        self.captures = captures


def request() -> Any:
    return FakeRequest()


def template(text: bytes) -> Any:
    """A constant, or with $1 the first group of the last match."""

    def evaluate(asking: Any) -> bytes:
        return text.replace(b"$1", asking.captures.group(1) or b"") if b"$1" in text else text

    return evaluate


def test_a_prefix() -> None:
    rule = prefix_rule(constant(b"http://back/"), constant(b"/front/"))
    assert rule(request(), b"http://back/x") == b"/front/x"
    assert rule(request(), b"http://back/") == b"/front/"
    assert rule(request(), b"http://other/x") is None
    assert prefix_rule(constant(b""), constant(b"/x"))(request(), b"y") == b"/xy"


def test_a_regular_expression_replaces_the_whole() -> None:
    rule = regex_rule(Regex("^http://[^/]+(/.*)$"), cast(Any, template(b"$1")))
    assert rule(request(), b"http://back/x") == b"/x"
    assert rule(request(), b"ftp://back/x") is None


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (b"back", b"front"),
        (b".back", b".front"),
        (b"BACK", b"front"),
        (b"..back", None),
        (b"www.back", None),
        (b"", None),
    ],
)
def test_a_domain(value: bytes, changed: bytes | None) -> None:
    rule = domain_rule(cast(Any, template(b"Back")), cast(Any, template(b"front")))
    assert rule(request(), value) == changed


def test_the_first_rule_that_applies() -> None:
    rules = [prefix_rule(constant(b"/a"), constant(b"/1")), prefix_rule(constant(b"/"), constant(b"/2"))]
    assert rewriting.apply(rules, request(), b"/ab") == b"/1b"
    assert rewriting.apply(rules, request(), b"/b") == b"/2b"
    assert rewriting.apply(rules, request(), b"b") is None


@pytest.mark.parametrize(
    ("name", "value", "changed"),
    [
        (b"location", b"http://back/x", b"/x"),
        (b"location", b"/x", None),
        (b"refresh", b"5; url=http://back/x", b"5; url=/x"),
        (b"refresh", b"5; URL=http://back/x", b"5; URL=/x"),
        (b"refresh", b"5; url=/x", None),
        (b"refresh", b"5", None),
    ],
)
def test_redirects(name: bytes, value: bytes, changed: bytes | None) -> None:
    rules = [prefix_rule(constant(b"http://back/"), constant(b"/"))]
    assert redirect_field(rules, request(), name, value) == changed


def test_cookies_are_taken_apart_at_spaces() -> None:
    assert rewriting.split_cookie(b"a = b ;  Path=/x;Secure; ; c==d") == [
        (b"a", b"b"),
        (b"Path", b"/x"),
        (b"Secure", None),
        (b"", None),
        (b"c", b"=d"),
    ]


def cookie(value: bytes, *flags: bytes, matches: bool = True) -> bytes | None:
    rules = [FlagRule(lambda request, name: matches, [constant(flag) for flag in flags])] if flags else []
    domains = [domain_rule(cast(Any, template(b"back")), cast(Any, template(b"front")))]
    paths = [prefix_rule(constant(b"/x/"), constant(b"/y/"))]
    return rewriting.rewrite_cookie(request(), value, domains, paths, rules)


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (b"a=b; Path=/x/z; Domain=.back", b"a=b; Path=/y/z; Domain=.front"),
        (b"a=b;path=/x/;HttpOnly", b"a=b; path=/y/; HttpOnly"),
        (b"a=b; Path=/x; Domain=other", None),
        (b"a=/x/; Path", None),
        (b"no cookie; Path=/x/", None),
        (b"domain=back; Path=/x/", b"domain=back; Path=/y/"),  # the cookie's own name is no attribute
    ],
)
def test_domains_and_paths(value: bytes, changed: bytes | None) -> None:
    assert cookie(value) == changed


@pytest.mark.parametrize(
    ("value", "flags", "changed"),
    [
        (b"a=b", [b"secure"], b"a=b; Secure"),
        (b"a=b", [b"samesite=LAX", b"HttpOnly", b"secure"], b"a=b; Secure; HttpOnly; SameSite=Lax"),
        (b"a=b;secure; c", [b"secure"], b"a=b; secure; c"),  # in its place, as it was written
        (b"a=b; SameSite=none; c", [b"samesite=strict"], b"a=b; SameSite=Strict; c"),
        (b"a=b; samesite=STRICT", [b"samesite=strict"], b"a=b; samesite=STRICT"),
        (b"a=b; Secure; HttpOnly; SameSite=Lax", [b"nosecure", b"nohttponly", b"nosamesite"], b"a=b"),
        (b"a=b; Secure", [b"nohttponly"], b"a=b; Secure"),
        (b"a=b;c", [b""], None),  # a variable without a value
        (b"a=b;c", [b"what is this"], None),
    ],
)
def test_flags(value: bytes, flags: list[bytes], changed: bytes | None) -> None:
    assert cookie(value, *flags) == changed


def test_flags_of_other_cookies() -> None:
    assert cookie(b"a=b", b"secure", matches=False) is None
