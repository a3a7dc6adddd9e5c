"""queue: requests wait for a peer instead of being refused; NGINX Plus's `queue NUMBER [timeout=TIME]`.

A request that ends wakes the one that has waited longest, in whichever worker that is, where the upstream has a `zone`
(line.py); without one each worker has peers, and a queue, of its own. A request that comes when a peer has just become
free may be served before those that wait. What comes back after its fail_timeout is looked for every POLL_S.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.stream import Stream
from gateway.core.lane import park

if TYPE_CHECKING:
    from gateway.core.lane import Lane
    from gateway.upstream.exchange.peer_try import PeerTry
    from gateway.upstream.peers.peers import Peer
    from gateway.upstream.peers.shared_queue import SharedQueue

POLL_S: Final = 0.1


@dataclass(slots=True, eq=False)
class _Waiter:
    exchange: PeerTry
    ticket: int


class Queue:
    """The requests of one upstream that wait for a peer in this worker."""

    __slots__ = ("_bell", "_overflows", "_waiting", "line", "size", "timeout_s")

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size = size
        self.timeout_s = timeout_s
        self.line: SharedQueue | None = None  # what all workers know of each other
        self._waiting: deque[_Waiter] = deque()
        self._overflows = 0
        self._bell: Stream | None = None

    def __len__(self) -> int:
        return self.line.waiting if self.line is not None else len(self._waiting)

    @property
    def overflows(self) -> int:
        return self.line.overflows if self.line is not None else self._overflows

    def begin_worker(self, lane: Lane) -> None:
        """Hear the bell of the line from now on."""
        if self.line is not None:
            self.line.claim(os.getpid())
            self._bell = Stream(lane, os.dup(self.line.bell), readable=False, handler=self._rung)

    def end_worker(self) -> None:
        """Who still waits looks every POLL_S."""
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _rung(self) -> None:
        if self._waiting and self._may_go(self._waiting[0]):
            self._waiting[0].exchange.wake()

    def _may_go(self, waiter: _Waiter) -> bool:
        return self.line is None or self.line.may_go(waiter.ticket)

    def wake(self) -> None:
        """A peer was given back."""
        if self._waiting and self._may_go(self._waiting[0]):
            self._waiting[0].exchange.wake()
        elif self.line is not None and self.line.waiting:
            self.line.ring()

    def _join(self, exchange: PeerTry) -> _Waiter:
        waiter = _Waiter(exchange, self.line.join() if self.line is not None else 0)
        self._waiting.append(waiter)
        self._stand()
        return waiter

    def _leave(self, waiter: _Waiter) -> None:
        self._waiting.remove(waiter)
        if self.line is not None:
            self.line.leave()
        self._stand()

    def _stand(self) -> None:
        if self.line is not None:
            self.line.stand(self._waiting[0].ticket if self._waiting else 0)

    async def wait(self, exchange: PeerTry) -> Peer | None:
        """A peer as soon as there is one, in turn; None when the queue is full or the time is over.

        Cancelled, or the client gone (ClientGone): the place in the queue is free.
        """
        if len(self) >= self.size:
            if self.line is not None:
                self.line.overflowed()
            self._overflows += 1
            exchange.log("error", b"upstream queue is full")
            return None
        lane = exchange.lane
        until = lane.now + self.timeout_s
        waiter = self._join(exchange)
        try:
            while lane.now < until:
                woken = await park(min(until, lane.now + POLL_S))
                exchange.check_client()
                # Without a sign for so long, who is first elsewhere may not be able to go: he keeps nobody back.
                if self._waiting[0] is waiter and (not woken or self._may_go(waiter)):
                    peer = exchange.pick_anew()
                    if peer is not None:
                        return peer
            exchange.log("error", b"upstream queue timed out")
            return None
        finally:
            self._leave(waiter)
            self.wake()
