from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.core.resolver import Resolver
from gateway.protocol import dns
from tests.engine import load_http


def resolver_of(text: str) -> Resolver | None:
    cycle = load_http(f"server {{ listen 127.0.0.1:8080; {text} }}")
    found: Resolver | None = cycle.servers[0].root.core.resolver
    return found


def test_parameters() -> None:
    assert resolver_of("") is None
    resolver = resolver_of("resolver 127.0.0.1 127.0.0.2:5353 [::1] [::1]:99 valid=1m ipv6=off status_zone=x;")
    assert resolver is not None
    assert [server.text for server in resolver.servers] == ["127.0.0.1:53", "127.0.0.2:5353", "[::1]:53", "[::1]:99"]
    assert resolver.valid == 60
    assert resolver.kinds == (dns.A,)
    assert resolver_of("resolver localhost ipv4=off;").kinds == (dns.AAAA,)  # type: ignore[union-attr]


def test_inherited() -> None:
    cycle = load_http(
        """resolver 127.0.0.1; resolver_timeout 7s;
        server { listen 127.0.0.1:8080; location /a { } location /b { resolver 127.0.0.2; resolver_timeout 100ms; } }"""
    )
    root = cycle.servers[0].root
    found = {child.name: child.core for child in root.children}
    assert found[b"/a"].resolver is root.core.resolver
    assert found[b"/a"].resolver_timeout == 7
    assert found[b"/b"].resolver.servers[0].text == "127.0.0.2:53"
    assert found[b"/b"].resolver_timeout == 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resolver valid=1s;", "no name servers defined"),
        ("resolver 127.0.0.1 valid=x;", "invalid parameter: valid=x"),
        ("resolver 127.0.0.1 ipv4=yes;", "invalid parameter: ipv4=yes"),
        ("resolver 127.0.0.1 ipv6=;", "invalid parameter: ipv6="),
        ("resolver 127.0.0.1 status_zone=;", "invalid parameter: status_zone="),
        ("resolver 127.0.0.1 ipv4=off ipv6=off;", '"ipv4" and "ipv6" cannot both be "off"'),
        ("resolver 127.0.0.1:0;", 'invalid port in resolver "127.0.0.1:0"'),
        ("resolver [::x];", 'invalid IPv6 address in resolver "[::x]"'),
        ("resolver :53;", 'no host in resolver ":53"'),
        ("resolver no-such-host.invalid;", 'host not found in resolver "no-such-host.invalid"'),
        ("resolver 127.0.0.1; resolver 127.0.0.1;", '"resolver" directive is duplicate'),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resolver_of(text)
    assert words in str(raised.value)
