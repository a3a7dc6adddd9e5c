"""least_conn: the peer with the fewest connections for its weight; round robin among equals."""

from __future__ import annotations

from gateway._fast.peers import least
from gateway.upstream.peers.peers import Choice


class LeastConnChoice(Choice):
    """Picks of the `least_conn` directive."""

    __slots__ = ()

    def _best(self, now: int, wanted: int) -> int:
        return wanted if wanted >= 0 else least(self.peers, self.tried, now)
