"""When another peer is asked: the conditions of `*_next_upstream`, and what each failure is answered with."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from gateway._fast.peers import IS_BACK
from gateway.upstream.exchange.attempt import error_words
from gateway.upstream.peers.changes import tell_change
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway.upstream.exchange.peer_answer import PeerAnswer
    from gateway.upstream.peers.peers import Peer


class Condition(enum.IntFlag):
    """Why a try failed; the names of the `*_next_upstream` directives."""

    ERROR = 0x2
    TIMEOUT = 0x4
    INVALID_HEADER = 0x8
    HTTP_500 = 0x10
    HTTP_502 = 0x20
    HTTP_503 = 0x40
    HTTP_504 = 0x80
    HTTP_403 = 0x100
    HTTP_404 = 0x200
    HTTP_429 = 0x400
    UPDATING = 0x800
    NON_IDEMPOTENT = 0x4000
    OWN_SIDE = 0x20000000  # our own socket failed, before the peer was asked; no directive names it either
    NO_LIVE = 0x40000000  # no peer to ask; no directive names it, so it always ends the exchange
    OFF = 0x80000000


BY_STATUS: Final = {
    500: Condition.HTTP_500,
    502: Condition.HTTP_502,
    503: Condition.HTTP_503,
    504: Condition.HTTP_504,
    403: Condition.HTTP_403,
    404: Condition.HTTP_404,
    429: Condition.HTTP_429,
}

_STATUS_OF: Final = {
    Condition.TIMEOUT: 504,
    Condition.HTTP_504: 504,
    Condition.HTTP_500: 500,
    Condition.OWN_SIDE: 500,
    Condition.HTTP_503: 503,
    Condition.HTTP_403: 403,
    Condition.HTTP_404: 404,
    Condition.HTTP_429: 429,
}

# A second peer could do the work of these twice (RFC 9110, 9.2.2); WebDAV's LOCK as well.
NON_IDEMPOTENT_METHODS: Final = frozenset({b"POST", b"LOCK", b"PATCH"})


def status_of(condition: Condition) -> int:
    """What the client is told when no other peer is asked."""
    return _STATUS_OF.get(condition, 502)


def outcome_of(condition: Condition) -> Outcome:
    """Whether the peer is to blame: a 403 or 404 is an answer like any other."""
    if condition == Condition.OWN_SIDE:
        return Outcome.OK
    return Outcome.NEXT if condition in (Condition.HTTP_403, Condition.HTTP_404) else Outcome.FAILED


def peer_changed(exchange: PeerAnswer, peer: Peer, change: int) -> None:
    """Say what Choice.free() found: it is left alone, or back; the last failure is why."""
    if change != IS_BACK:
        exchange.log("warn", b"upstream server temporarily disabled")
    tell_change(change, exchange.upstream.name, peer, _why(exchange))


def _why(exchange: PeerAnswer) -> bytes:
    attempt, failure, head = exchange.attempt, exchange.failure, exchange.head
    while_ = b" while " + attempt.stage.value
    if failure is None:
        return b"it answered %d" % head.status if head is not None else b""
    if failure == Condition.TIMEOUT:
        return b"timed out" + while_
    if failure == Condition.INVALID_HEADER:
        return b"no valid response header" + while_
    return (error_words(attempt.error) if attempt.error is not None else b"connection closed") + while_
