"""What the event log is told of peers: out of use, back again, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.event_log import the_events
from gateway.upstream.peers.peers import HAS_LEFT, IS_BACK

if TYPE_CHECKING:
    from gateway.upstream.peers.peers import Peer

_LEVELS: Final = {True: "notice", False: "warn"}


def tell_change(change: int, upstream: bytes, peer: Peer, cause: bytes) -> None:
    """After Choice.free(): max_fails took the peer out, for this cause at last, or a try brought it back."""
    if change == HAS_LEFT:
        count = b"1 failure" if peer.max_fails == 1 else b"%d failures" % peer.max_fails
        tell(upstream, peer, b"is left alone for %d s after %b" % (peer.fail_timeout, count), cause, good=False)
    elif change == IS_BACK:
        tell(upstream, peer, b"is back: it answered again", b"", good=True)


def tell(upstream: bytes, peer: Peer, text: bytes, cause: bytes, *, good: bool) -> None:
    """`text` goes on behind the peer's name."""
    the_events().tell(_LEVELS[good], "peer", b"%b %b" % (upstream, peer.name), text, cause)
