"""queue: requests wait for a peer instead of being refused; NGINX Plus's `queue NUMBER [timeout=TIME]`.

Each worker has its own queue. A request that ends in this worker wakes the first that waits; what ends in other
workers, or comes back after its fail_timeout, is looked for every POLL_S.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from gateway.core.lane import park

if TYPE_CHECKING:
    from gateway.upstream.asking import Asking
    from gateway.upstream.peers import Peer

POLL_S: Final = 0.1


class Queue:
    """The requests of one upstream that wait for a peer in this worker."""

    __slots__ = ("overflows", "size", "timeout_s", "waiting")

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size = size
        self.timeout_s = timeout_s
        self.waiting: deque[Asking] = deque()
        self.overflows = 0

    def __len__(self) -> int:
        return len(self.waiting)

    def wake(self) -> None:
        """A peer was given back."""
        if self.waiting:
            self.waiting[0].wake()

    async def wait(self, exchange: Asking) -> Peer | None:
        """A peer as soon as there is one, in turn; None when the queue is full or the time is over.

        Cancelled, or the client gone (ClientGone): the place in the queue is free.
        """
        if len(self.waiting) >= self.size:
            self.overflows += 1
            exchange.log("error", b"upstream queue is full")
            return None
        lane = exchange.lane
        until = lane.now + self.timeout_s
        self.waiting.append(exchange)
        try:
            while lane.now < until:
                await park(min(until, lane.now + POLL_S))
                exchange.check_client()
                if self.waiting[0] is exchange:
                    peer = exchange.pick_anew()
                    if peer is not None:
                        return peer
            exchange.log("error", b"upstream queue timed out")
            return None
        finally:
            self.waiting.remove(exchange)
            self.wake()
