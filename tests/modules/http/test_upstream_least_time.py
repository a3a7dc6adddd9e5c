from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.peers.least_time import InflightChoice, LeastTimeChoice
from tests.engine import load_http


@pytest.mark.parametrize(
    ("line", "kind", "header"),
    [
        ("least_time header", LeastTimeChoice, True),
        ("least_time last_byte", LeastTimeChoice, False),
        ("least_time header inflight", InflightChoice, True),
        ("least_time last_byte inflight", InflightChoice, False),
    ],
)
def test_modes(line: str, kind: type[LeastTimeChoice], header: bool) -> None:
    upstream = load_http(f"upstream u {{ {line}; server 127.0.0.1; server 127.0.0.2 backup; }}").upstreams.all[0]
    choice = upstream.choose(None)
    assert type(choice) is kind and choice.header == header


@pytest.mark.parametrize(
    ("line", "words"),
    [("least_time fast", 'invalid value "fast"'), ("least_time header what", 'invalid parameter "what"')],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"upstream u {{ {line}; server 127.0.0.1; }}")
    assert words in str(caught.value)
