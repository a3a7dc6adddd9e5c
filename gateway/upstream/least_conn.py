"""least_conn: the peer with the fewest connections for its weight; round robin among equals."""

from __future__ import annotations

from gateway.upstream.peers import Choice, Peer


class LeastConnChoice(Choice):
    """Picks of the `least_conn` directive."""

    __slots__ = ()

    def _best(self, now: int, wanted: int) -> int:
        if wanted >= 0:
            return wanted
        peers = self.peers
        best: Peer | None = None
        chosen = -1
        many = False
        # slow_start: those that wait are looked at only when there is no other
        for patient in (True, False):
            for index, peer in enumerate(peers):
                if self.tried >> index & 1 or not peer.usable(now) or (patient and peer.waits()):
                    continue
                if best is None or peer.conns * best.weight < best.conns * peer.weight:
                    best, chosen, many = peer, index, False
                elif peer.conns * best.weight == best.conns * peer.weight:
                    many = True
            if best is not None:
                break
        if best is None:
            return -1
        total = 0
        if many:
            # The comparison is with the best so far, which changes while we go: so does nginx's.
            for index in range(chosen, len(peers)):
                peer = peers[index]
                if self.tried >> index & 1 or peer.conns * best.weight != best.conns * peer.weight:
                    continue
                if not peer.usable(now):
                    continue
                total += peer.effective_weight
                raise_weight(peer)
                if peer.current_weight > best.current_weight:
                    best, chosen = peer, index
        best.current_weight -= total
        return chosen


def raise_weight(peer: Peer) -> None:
    """A candidate's part of a smooth round robin."""
    peer.current_weight += peer.effective_weight
    if peer.effective_weight < peer.weight:
        peer.effective_weight += 1
