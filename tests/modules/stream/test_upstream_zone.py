"""zone of the stream block."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream

TEXT = "upstream u { zone %s; server 127.0.0.1:1; } server { listen 1; proxy_pass u; }"


def test_peers_are_shared() -> None:
    cycle = load_stream(TEXT % "z 64k")
    upstream = cycle.upstreams.all[0]
    assert upstream.shared is not None
    assert [peer.name for peer in upstream.shared.members()] == [b"127.0.0.1:1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [("z 1k", 'zone "z" is too small'), ("z x", 'invalid zone size "x"'), ('""', "invalid zone name")],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(TEXT % line)
