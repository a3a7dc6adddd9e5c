"""Idle connections kept for the next request; `keepalive` in an upstream, on by default since nginx 1.29.7."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from gateway._fast.watcher import Watcher
from gateway.upstream.exchange.next_upstream import Condition, outcome_of
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.upstream.exchange.attempt import Attempt
    from gateway.upstream.exchange.carrier import Carrier
    from gateway.upstream.exchange.http2_link import Link
    from gateway.upstream.exchange.peer_try import PeerTry


class PeerConnection(Watcher):
    """A connection to a peer, through one or more requests; it watches its stream while it is idle.

    Compiled with the types of keepalive.pxd, as Keepalive is: an attribute has its line there too.
    """

    def __init__(self, stream: Stream, sockaddr: bytes, is_unix: bool, now: float) -> None:
        self.begin(stream, sockaddr, is_unix, now)

    def begin(self, stream: Stream, sockaddr: bytes, is_unix: bool, now: float) -> None:
        """What __init__ does, as a call of C's: see new_connection()."""
        self.stream = stream
        self.sockaddr = sockaddr
        self.is_unix = is_unix
        self.started = now
        self.requests = 0
        self.sent_before = 0  # bytes sent for earlier requests
        self.tag: Any = None
        self.identity: Any = None  # of ClientTls.identity(), with TLS
        self.tls: Any = None  # a ClientTls whose handshake has to come first
        self.link: Link | None = None  # if HTTP/2 is what is spoken on it
        self.carrier: Carrier | None = None  # whose stream it is, where others use the same connection
        self.cache: Keepalive | None = None  # where it is idle

    def happened(self) -> None:
        """The peer closed, or speaks without being asked."""
        try:
            data = self.stream.recv(0 if self.link is not None else 1)
        except OSError:
            data = b""
        if data and self.link is not None and self.link.hears(data, self.stream):
            return
        if data is not None and self.cache is not None:
            self.cache.drop(self)

    def outcome(self, asking: PeerTry, condition: Condition) -> Outcome:
        """What a try that failed says of the peer."""
        if asking.unprocessed or (condition == Condition.ERROR and asking.attempt.cached):
            return Outcome.STALE  # a kept connection that had ended is no fault of the peer
        if condition == Condition.ERROR and self.carrier is not None:
            # However many used it, one connection has broken.
            if self.carrier.blamed:
                return Outcome.NEXT
            self.carrier.blamed = True
        return outcome_of(condition)

    def refused(self) -> bool:
        """Whether the peer has said that it did nothing for the request."""
        return self.carrier is not None and self.stream.refused  # type: ignore[attr-defined]

    def close(self, attempt: Attempt) -> None:
        """After a try that leaves nothing to keep."""
        error = attempt.error
        if self.carrier is not None and error is not None and error.errno == errno.ETIMEDOUT:
            self.stream.doubt()  # type: ignore[attr-defined]
        self.stream.close()

    def late(self) -> None:
        """keepalive_timeout is over."""
        if self.cache is not None:
            self.cache.drop(self)

    def stopped(self) -> None:
        self.late()

    @property
    def waits_since(self) -> float:
        """Since when it is idle."""
        return self.stream.deadline - self.cache.timeout_s if self.cache is not None else -1.0

    def reuse(self) -> None:
        """worker_connections run short."""
        self.late()

    @property
    def sent(self) -> int:
        """Bytes sent for the present request."""
        return self.stream.sent - self.sent_before


def new_connection(stream: Stream, sockaddr: bytes, is_unix: bool, now: float) -> PeerConnection:
    """PeerConnection(…), without what a call by name costs."""
    connection = PeerConnection.__new__(PeerConnection)
    connection.begin(stream, sockaddr, is_unix, now)
    return connection


class Keepalive:
    """The idle connections of one upstream in one worker; the one that was used last goes first."""

    def __init__(
        self,
        size: int = 32,
        *,
        requests: int = 1000,
        time_s: float = 3600.0,
        timeout_s: float = 60.0,
        local: bool = True,
    ) -> None:
        """`local`: a location gets only connections that it made itself, since locations may have different rights."""
        self.size = size
        self.requests = requests
        self.time_s = time_s
        self.timeout_s = timeout_s
        self.local = local
        self.idle: list[PeerConnection] = []
        self.streams = 0  # how many requests may share an HTTP/2 connection; 0: none do
        self.carriers: list[Carrier] = []  # the connections that requests share, while more may join
        self.peaks: dict[bytes, int] = {}  # how many streams a peer said last that it allows

    def take(self, sockaddr: bytes, tag: Any, identity: Any = None, http2: bool = False) -> PeerConnection | None:
        """An idle connection to this address, without TLS or to whom this identity says; no longer idle.

        nginx looks at the address alone: where `proxy_ssl_name` has a variable, or locations that verify and those that
        do not share an upstream, a request may go over a connection that it would not have made itself.
        """
        idle = self.idle
        for index in range(len(idle) - 1, -1, -1):
            connection = idle[index]
            if (
                connection.sockaddr == sockaddr
                and (connection.identity is identity or (identity is not None and connection.identity == identity))
                and (connection.link is not None) == http2
                and (not self.local or connection.tag is tag)
            ):
                del idle[index]
                stream = connection.stream
                stream.handler = None
                stream.set_deadline(0.0)
                connection.cache = None
                connection.sent_before = stream.sent
                return connection
        return None

    def give(self, connection: PeerConnection, tag: Any, now: float) -> bool:
        """Keep a connection whose exchange is complete; False if it must be closed instead.

        It is watched from now on: one that closes, times out, or speaks without being asked is dropped.
        """
        stream = connection.stream
        if (
            connection.carrier is not None
            or not self.size
            or connection.requests >= self.requests
            or now - connection.started > self.time_s
            or stream.error
            or stream.peer_closed
            or stream.pending
        ):
            return False
        if len(self.idle) >= self.size:
            self.drop(self.idle[0])
        connection.tag = tag
        connection.cache = self
        self.idle.append(connection)
        stream.handler = connection
        stream.set_deadline(now + self.timeout_s)
        stream.renew()  # nothing may lie there unseen
        if stream.readable:
            connection.happened()
        return True

    def drop(self, connection: PeerConnection) -> None:
        if connection in self.idle:
            self.idle.remove(connection)
            connection.cache = None
            connection.stream.close()

    def carrier_for(self, sockaddr: bytes, tag: Any, identity: Any, now: float) -> Carrier | None:
        """A connection that one more request may join, as take() has it."""
        for carrier in list(self.carriers):
            if carrier.takes(sockaddr, tag, identity, now):
                return carrier
        return None

    def idle_count(self) -> int:
        """How many connections wait for a request."""
        return len(self.idle) + len(self.idle_carriers())

    def idle_carriers(self) -> list[Carrier]:
        """Those that nobody uses now, the longest idle first."""
        return sorted(
            [carrier for carrier in self.carriers if carrier.waits_since >= 0], key=lambda carrier: carrier.waits_since
        )

    def close(self) -> None:
        """At the worker's end, or when an upstream is gone after a reload."""
        while self.idle:
            self.drop(self.idle[-1])
        for carrier in self.idle_carriers():
            carrier.reuse()
