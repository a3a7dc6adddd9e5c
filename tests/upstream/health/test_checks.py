from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.upstream.health.checks import HealthCheck
from gateway.upstream.peers.address import inet_address, unix_address
from gateway.upstream.peers.peers import Peer, UpstreamServer


def test_where_a_peer_is_asked() -> None:
    tcp, unix = inet_address("127.0.0.1", 80), unix_address(b"/run/x")
    assert HealthCheck().address(Peer(tcp, UpstreamServer(b"a"))) is tcp
    assert HealthCheck(port=99).address(Peer(tcp, UpstreamServer(b"a"))) == inet_address("127.0.0.1", 99)
    assert HealthCheck(port=99).address(Peer(unix, UpstreamServer(b"a"))) == unix


def test_a_configuration_is_read_without_trio() -> None:
    """It takes as long to load as all the rest, and -t and the start need none of it."""
    code = "import sys, gateway.modules; sys.exit(bool({'trio', 'h11', 'asyncio'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("interval=500ms", "interval_s", 0.5),
        ("jitter=2", "jitter_s", 2.0),
        ("fails=3", "fails", 3),
        ("passes=2", "passes", 2),
        ("port=65535", "port", 65535),
        ("mandatory", "mandatory", True),
        ("persistent", "persistent", True),
    ],
)
def test_parameters(word: str, name: str, value: object) -> None:
    check = HealthCheck()
    assert check.set_parameter(word)
    assert getattr(check, name) == value


@pytest.mark.parametrize("word", ["interval=0", "interval=x", "fails=0", "port=65536", "port=-1"])
def test_what_is_no_parameter(word: str) -> None:
    with pytest.raises(ValueError):
        HealthCheck().set_parameter(word)


@pytest.mark.parametrize("word", ["uri=/", "mandatory=1", "interval", ""])
def test_what_is_anothers(word: str) -> None:
    assert not HealthCheck().set_parameter(word)
