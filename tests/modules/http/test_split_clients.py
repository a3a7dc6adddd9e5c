"""split_clients: shares, and the values that nginx gives to the same keys."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving


async def test_shares() -> None:
    text = """
    split_clients $args $variant { 51.2% one; 10% two; * three; }
    split_clients $args $part { .5% rare; 1.% few; }
    server { listen 127.0.0.1:8080; location / { return 200 "$variant:$part"; } }
    """
    async with serving(text) as engine:
        # the hashes of the connection numbers 1 to 20 fall so in nginx
        seen = Counter([(await engine.get(f"/?{number}")).body.partition(b":")[0] for number in range(1, 21)])
        assert seen == {b"one": 12, b"two": 2, b"three": 6}
        assert (await engine.get("/?1")).body.endswith(b":")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{ 60% a; 50% b; }", "percent total is greater than 100%"),
        ("{ 0% a; }", 'invalid percent value "0%"'),
        ("{ 1.234% a; }", 'invalid percent value "1.234%"'),
        ("{ 10 a; }", 'invalid percent value "10"'),
        ("{ % a; }", 'invalid percent value "%"'),
        ("{ 10%; }", "invalid number of the split_clients parameters"),
    ],
)
def test_mistakes(block: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"split_clients $uri $v {block} server {{ listen 127.0.0.1:8080; }}")
    assert message in str(caught.value)
