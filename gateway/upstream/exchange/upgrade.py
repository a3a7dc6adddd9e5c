"""After `101 Switching Protocols` (WebSocket) or CONNECT: bytes both ways.

The end of either side ends both, once what it had sent is with the other.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from gateway.core.lane import park
from gateway.http.module import OK
from gateway.upstream.exchange.attempt import Stage

if TYPE_CHECKING:
    from gateway.http.module import Result
    from gateway.upstream.exchange.peer_answer import PeerAnswer


class _Way:
    """One direction: what was read and is not yet written, at most `*_buffer_size` bytes."""

    __slots__ = ("broken", "ended", "room", "source", "target")

    def __init__(self, source: Any, target: Any, room: int) -> None:
        self.source = source
        self.target = target
        self.room = room
        self.ended = False  # the source will send no more
        self.broken = False  # it was reset

    def move(self) -> int:
        """Pass on what is there; how many bytes."""
        moved = 0
        source, target = self.source, self.target
        while not self.ended and source.readable and target.pending < self.room:
            try:
                data = source.recv(self.room - target.pending)
            except OSError:
                self.ended = self.broken = True
                break
            if data is None:
                break
            if not data:
                self.ended = True
                break
            moved += len(data)
            target.send(data)
        return moved

    @property
    def drained(self) -> bool:
        return self.ended and not self.target.pending


async def run(exchange: PeerAnswer) -> Result:
    """Send the head, then be a tunnel. Both connections end with it."""
    request = exchange.request
    conf = exchange.conf
    attempt = exchange.attempt
    assert exchange.connection is not None and exchange.reader is not None
    upstream = exchange.connection.stream
    client = request.connection.stream
    request.keepalive = False
    request.upgraded = True
    reader = exchange.reader
    rest = reader.begin_body(request.method, 101, -1, chunked=False, close=False)
    request.send_head()
    attempt.stage = Stage.TUNNEL
    if rest:
        client.write(rest)
    client.flush()
    early = request.connection.take_input()  # sent without waiting for our answer
    if early:
        upstream.send(early)
    down = _Way(upstream, client, conf.buffer_size)
    up = _Way(client, upstream, conf.buffer_size)
    lane = exchange.lane
    send_timeout = request.location.core.send_timeout
    read_deadline = lane.now + conf.read_timeout
    upstream_pending, client_pending = 0, 0
    upstream_deadline = client_deadline = 0.0
    while True:
        moved = down.move()
        attempt.received += moved
        if up.move() or moved:
            read_deadline = lane.now + conf.read_timeout
        if upstream.error or client.error or up.broken or request.aborted or client.closed:
            break
        if down.drained or up.drained or (down.ended and up.ended):
            break
        now = lane.now
        if not upstream.pending:
            upstream_deadline = 0.0
        elif not upstream_deadline or upstream.pending < upstream_pending:
            upstream_deadline = now + conf.send_timeout
        upstream_pending = upstream.pending
        if not client.pending:
            client_deadline = 0.0
        elif not client_deadline or client.pending < client_pending:
            client_deadline = now + send_timeout
        client_pending = client.pending
        waiting = [at for at in (read_deadline, upstream_deadline, client_deadline) if at]
        if await park(min(waiting)):
            continue
        now = lane.now
        if client_deadline and now >= client_deadline:
            request.log("info", b"client timed out (110: Connection timed out) while proxying upgraded connection")
            break
        if now >= read_deadline or (upstream_deadline and now >= upstream_deadline):
            attempt.error = OSError(errno.ETIMEDOUT, "")
            exchange.log("info", b"upstream timed out (110: Connection timed out)")
            break
    attempt.ended = lane.now
    request.finished = True
    if client.closed or request.aborted:
        return request.abort()
    return OK
