from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream


def test_default_server() -> None:
    cycle = load_stream("server { listen 1; return a; } server { listen 1 default_server; return b; }")
    (listening,) = cycle.listenings
    assert listening.servers[b"*"].server is cycle.servers[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("listen 1 ssl;", 'no "ssl_certificate" is defined for the "listen ... ssl" directive'),
        ("listen 1 http2;", 'invalid parameter "http2"'),
        ("listen 1 quic;", 'invalid parameter "quic"'),
        ("listen 127.0.0.1;", 'no port in "127.0.0.1" of the "listen" directive'),
        ("listen [::1];", r'no port in "\[::1\]" of the "listen" directive'),
        ("listen 1; listen 1;", "a duplicate listen 0.0.0.0:1"),
        ("", 'no "listen" is defined for server'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(f"server {{ {line} return a; }}")
