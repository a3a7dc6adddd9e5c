from __future__ import annotations

import subprocess
import sys

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
