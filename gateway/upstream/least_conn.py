"""least_conn: the peer with the fewest connections for its weight; round robin among equals."""

from __future__ import annotations

from gateway.upstream.peers import Choice, Peer


class LeastConnChoice(Choice):
    """Picks of the `least_conn` directive."""

    __slots__ = ()

    def _best(self, now: int) -> Peer | None:
        best: Peer | None = None
        first = 0
        many = False
        peers = self.group.peers
        for index, peer in enumerate(peers):
            if self.tried >> index & 1 or not peer.usable(now):
                continue
            if best is None or peer.conns * best.weight < best.conns * peer.weight:
                best, first, many = peer, index, False
            elif peer.conns * best.weight == best.conns * peer.weight:
                many = True
        if best is None:
            return None
        chosen = first
        total = 0
        if many:
            # The comparison is with the best so far, which changes while we go: so does nginx's.
            for index in range(first, len(peers)):
                peer = peers[index]
                if self.tried >> index & 1 or peer.conns * best.weight != best.conns * peer.weight:
                    continue
                if not peer.usable(now):
                    continue
                peer.current_weight += peer.effective_weight
                total += peer.effective_weight
                if peer.effective_weight < peer.weight:
                    peer.effective_weight += 1
                if peer.current_weight > best.current_weight:
                    best, chosen = peer, index
        best.current_weight -= total
        self._taken(best, 1 << chosen, now)
        return best
