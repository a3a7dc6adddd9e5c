from __future__ import annotations

from typing import Any

from tests.stream_engine import load_stream


class At:
    """A connection as far as the choice of its servers asks it."""

    def __init__(self, address: bytes) -> None:
        self.address = address

    def local_address(self) -> tuple[bytes, int]:
        return self.address, 7777


def test_addresses_of_a_wildcard_socket() -> None:
    cycle = load_stream("""
        server { listen 7777; return any; }
        server { listen 127.0.0.2:7777 proxy_protocol; return two; }
    """)
    (listening,) = cycle.listenings
    assert listening.address.text == "0.0.0.0:7777"
    other: Any = At(b"127.0.0.1")
    two: Any = At(b"127.0.0.2")
    assert listening.at(other).server is cycle.servers[0]
    assert not listening.at(other).proxy_protocol
    assert listening.at(two).server is cycle.servers[1]
    assert listening.at(two).proxy_protocol
