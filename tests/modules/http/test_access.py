"""access: rules in their order, networks, inheritance, satisfy; clients of the fixture come from 127.0.0.1."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.core.networks import parse_network
from gateway.modules.http.access import decision
from tests.engine import load_http, serving, warnings_of


async def get(rules: str, target: str = "/") -> int:
    text = f"server {{ listen 127.0.0.1:8080; location / {{ {rules} }} location /page {{ return 200 page; }} }}"
    async with serving(text) as engine:
        return (await engine.get(target)).status


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ("deny all;", True),
        ("allow all;", False),
        ("allow 127.0.0.1; deny all;", False),
        ("deny 127.0.0.0/8; allow all;", True),
        ("allow 127.0.0.2; deny all;", True),
        ("deny unix:; deny ::1;", False),
        ("deny 0.0.0.0/0;", True),
    ],
)
async def test_the_first_rule_that_holds_decides(rules: str, refused: bool) -> None:
    # what is not refused finds nothing to serve
    assert await get(rules, "/x") == (403 if refused else 404)


async def test_satisfy_any_is_content_with_one() -> None:
    assert await get("satisfy any; allow 127.0.0.1; deny all;", "/x") == 404
    assert await get("satisfy any; deny all;", "/x") == 403


async def test_an_error_page_is_reached_and_the_refusal_is_logged() -> None:
    text = """server { listen 127.0.0.1:8080; deny all; error_page 403 /page;
        location / { } location /page { allow all; return 200 page; } }"""
    async with serving(text) as engine:
        reply = await engine.get("/x")
        assert (reply.status, reply.body) == (403, b"page")
        assert "[error]" in engine.log.lines[0] and "access forbidden by rule, client: 127.0.0.1" in engine.log.lines[0]


async def test_own_rules_take_the_place_of_the_server_s() -> None:
    text = "deny all; server { listen 127.0.0.1:8080; location / { allow ::1; } location /in { } }"
    async with serving(text) as engine:
        assert (await engine.get("/x")).status == 404
        assert (await engine.get("/in")).status == 403


def test_versions_of_ip() -> None:
    decide = decision([(parse_network(text)[0], denied) for text, denied in [("192.0.2.0/24", True), ("::1", False)]])
    assert decide(b"192.0.2.9") == decide(b"::ffff:192.0.2.9") == 403
    assert decide(b"::1") == 0
    assert decide(b"::2") is decide(b"unix:") is None


@pytest.mark.parametrize("text", ["127.0.0", "1.2.3.4/33", "::1/129", "a", "unix:/x", "255.255.255.255"])
def test_mistakes(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"deny {text}; server {{ listen 127.0.0.1:8080; }}")
    assert f'invalid parameter "{text}"' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('allow 10.0.0.1/8;', 'low address bits of 10.0.0.1/8 are meaningless'),
        ('deny 2001:db8::1/32;', 'low address bits of 2001:db8::1/32 are meaningless'),
    ],
)
def test_bits_behind_the_mask_are_a_warning(text: str, words: str) -> None:
    assert warnings_of(text) == [f"{words} in nginx.conf:2"]
