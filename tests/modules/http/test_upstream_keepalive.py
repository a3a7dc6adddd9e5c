from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.exchange.keepalive import Keepalive
from tests.engine import load_http


def keepalive(lines: str) -> Keepalive:
    text = f"upstream u {{ server 127.0.0.1:1; {lines} }} server {{ listen 127.0.0.1:8080; }}"
    return load_http(text).upstreams.all[0].keepalive  # type: ignore[no-any-return]


def test_defaults() -> None:
    cache = keepalive("")
    assert (cache.size, cache.local, cache.requests, cache.time_s, cache.timeout_s) == (32, True, 1000, 3600, 60)


def test_directives() -> None:
    cache = keepalive("keepalive 5; keepalive_requests 6; keepalive_time 7m; keepalive_timeout 8s;")
    assert (cache.size, cache.local, cache.requests, cache.time_s, cache.timeout_s) == (5, False, 6, 420, 8)
    assert keepalive("keepalive 5 local;").local
    assert keepalive("keepalive 0;").size == 0


def test_multiplex_is_ours() -> None:
    assert (cache := keepalive("keepalive 5 multiplex;")).streams == 100 and not cache.local
    assert keepalive("keepalive 5 multiplex=7;").streams == 7
    assert keepalive("keepalive 5;").streams == keepalive("").streams == 0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("keepalive x;", 'invalid value "x" in "keepalive" directive'),
        ("keepalive 5 x;", 'invalid parameter "x"'),
        ("keepalive 5 multiplex=0;", 'invalid parameter "multiplex=0"'),
        ("keepalive 5 multiplex=;", 'invalid parameter "multiplex="'),
        ("keepalive 5; keepalive 6;", "is duplicate"),
        ("keepalive_requests x;", "invalid number"),
        ("keepalive_time x;", "invalid value"),
    ],
)
def test_refused(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keepalive(lines)
    assert words in str(caught.value)
