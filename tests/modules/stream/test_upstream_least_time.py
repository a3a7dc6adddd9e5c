"""least_time of the stream block."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.exchange.attempt import Attempt
from gateway.upstream.peers.least_time import CONNECT, FIRST_BYTE, LAST_BYTE, InflightChoice, Mode
from gateway.upstream.peers.peers import Outcome
from tests.stream_engine import load_stream

TEXT = "upstream u { %s; server 127.0.0.1:1; server 127.0.0.1:2; } server { listen 1; proxy_pass u; }"


@pytest.mark.parametrize(
    ("line", "mode", "early"),
    [
        ("least_time connect", CONNECT, 100),
        ("least_time first_byte", FIRST_BYTE, 300),
        ("least_time last_byte", LAST_BYTE, 300),
        ("least_time connect inflight", CONNECT, 100),
    ],
)
def test_what_is_learned(line: str, mode: Mode, early: int) -> None:
    upstream = load_stream(TEXT % line).upstreams.all[0]
    choice = upstream.choose(object())
    assert choice.mode is mode
    peer = choice.get(1000)
    attempt = Attempt(peer.name, 10.0)
    attempt.connected, attempt.head_read, attempt.ended = 10.1, 10.3, 11.0
    if isinstance(choice, InflightChoice):
        choice.head_came(attempt)
        assert choice.at_connect is mode.at_connect
    choice.free(Outcome.OK, 1000, attempt)
    assert (peer.header_time, peer.response_time) == (early, 1000)


def test_without_a_first_byte() -> None:
    choice = load_stream(TEXT % "least_time first_byte").upstreams.all[0].choose(object())
    peer = choice.get(1000)
    attempt = Attempt(peer.name, 10.0)
    attempt.connected, attempt.ended = 10.1, 11.0
    choice.free(Outcome.OK, 1000, attempt)
    assert (peer.header_time, peer.response_time) == (0, 1000)


@pytest.mark.parametrize("line", ["least_time header", "least_time connect other"])
def test_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="invalid"):
        load_stream(TEXT % line)
