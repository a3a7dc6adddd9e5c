"""What the event log is told of peers: out of use, back again, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.peers import HAS_LEFT, IS_BACK
from gateway.core.event_log import the_events
from gateway.upstream.peers.peers import DRAINING

if TYPE_CHECKING:
    from gateway.upstream.peers.peers import Peer, UpstreamServer

_LEVELS: Final = {True: "notice", False: "warn"}
_SWITCHED: Final = {0: b"is used again", DRAINING: b"is drained"}
_PARAMETERS: Final = ("weight", "max_conns", "max_fails", "fail_timeout", "slow_start", "route")


def tell_change(change: int, upstream: bytes, peer: Peer, cause: bytes) -> None:
    """After Choice.free(): max_fails took the peer out, for this cause at last, or a try brought it back."""
    if change == HAS_LEFT:
        count = b"1 failure" if peer.max_fails == 1 else b"%d failures" % peer.max_fails
        tell(upstream, peer, b"is left alone for %d s after %b" % (peer.fail_timeout, count), cause, good=False)
    elif change == IS_BACK:
        tell(upstream, peer, b"is back: it answered again", b"", good=True)


def tell_setting(upstream: bytes, name: bytes, before: UpstreamServer, now: UpstreamServer, by: str) -> None:
    """Somebody, `by`, has changed what is configured of the peer that had this name; or not: then nothing is told."""
    said = []
    if before.down != now.down:
        said.append(_SWITCHED.get(now.down, b"is switched off"))
    if before.name != now.name:
        said.append(b"is at %b now" % now.name)
    for parameter in _PARAMETERS:
        old, new = getattr(before, parameter), getattr(now, parameter)
        if old != new:
            said.append(b"%b: %b, was %b" % (parameter.encode(), *(_shown(each) for each in (new, old))))
    if said:
        the_events().tell("notice", "peer", b"%b %b" % (upstream, name), b"; ".join(said), by)


def _shown(value: int | bytes) -> bytes:
    return b'"%b"' % value if isinstance(value, bytes) else b"%d" % value


def tell(upstream: bytes, peer: Peer, text: bytes, cause: bytes, *, good: bool) -> None:
    """`text` goes on behind the peer's name."""
    the_events().tell(_LEVELS[good], "peer", b"%b %b" % (upstream, peer.name), text, cause)
