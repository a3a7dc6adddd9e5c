from __future__ import annotations

from typing import Any

from tests.engine import load_http
from tests.stream_engine import load_stream


class At:
    """A connection as far as the choice of its servers asks it."""

    def __init__(self, address: bytes) -> None:
        self.address = address

    def local_address(self) -> tuple[bytes, int]:
        return self.address, 7777


def test_addresses_of_a_wildcard_socket() -> None:
    cycle = load_http("server { listen 7777; return 200 a; } server { listen 127.0.0.2:7777; return 200 b; }")
    (listening,) = cycle.listenings
    for address, server in ((b"127.0.0.1", 0), (b"127.0.0.2", 1), (b"127.0.0.3", 0)):
        local: Any = At(address)
        assert listening.servers_for(local).default is cycle.servers[server]


def test_one_address_needs_no_look_at_the_socket() -> None:
    cycle = load_stream("server { listen 127.0.0.1:7777; return a; }")
    nobody: Any = None
    assert cycle.listenings[0].at(nobody).server is cycle.servers[0]
