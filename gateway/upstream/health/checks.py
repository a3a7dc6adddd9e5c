"""What a `health_check` directive says of a check; health.py does the work, in the workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.upstream.peers.address import Address, with_port

if TYPE_CHECKING:
    from gateway.upstream.health.probes import Probe
    from gateway.upstream.peers.peers import Peer


@dataclass(eq=False, slots=True)
class HealthCheck:
    """A `health_check` directive."""

    name: bytes = b""  # of its match
    interval_s: float = 5.0
    jitter_s: float = 0.0
    fails: int = 1
    passes: int = 1
    mandatory: bool = False
    persistent: bool = False
    port: int = 0  # 0: the peer's own
    probe: Probe | None = None  # made in the worker

    def address(self, peer: Peer) -> Address:
        return with_port(peer.address, self.port) if self.port else peer.address
