"""no live upstreams: why each peer is left out."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from gateway.dev.diagnosis.failure import Failure, Family

if TYPE_CHECKING:
    from gateway.upstream.peers.peers import Group, Peer


def _key(failure: Failure) -> Hashable:
    return failure.peer


def _text(failure: Failure) -> str:
    upstream = failure.exchange.upstream
    now = int(failure.exchange.lane.now)
    group: Group | None = upstream.group
    states: list[str] = []
    while group is not None:
        states += [f"{peer.name.decode('utf-8', 'replace')} {_state(peer, now)}" for peer in group.peers]
        group = group.backup
    where = f" ({upstream.where})" if upstream.where else ""
    name = upstream.name.decode("utf-8", "replace")
    return f"upstream {name}{where} has no peer left for this request: {'; '.join(states[:8])}"


def _state(peer: Peer, now: int) -> str:
    if peer.down:
        return "is marked down"
    if peer.max_fails and peer.fails >= peer.max_fails and now - peer.checked <= peer.fail_timeout:
        left = peer.fail_timeout - (now - peer.checked)
        return (
            f"has failed (max_fails={peer.max_fails}) and is left alone for {left} s more "
            f"(fail_timeout={peer.fail_timeout}s); its own failures stand above in this log"
        )
    if peer.max_conns and peer.conns >= peer.max_conns:
        return f"has its max_conns={peer.max_conns} connections"
    return "was tried by this request already"


FAMILY: Final = Family((b"no live upstreams",), _key, _text)
