"""A connection to an HTTP/2 upstream that many requests share: `keepalive N multiplex`, which nginx has not.

What requests see of it are Substreams (_fast/multiplex), one each, in a PeerConnection of their own: to tries and pipes
they are connections with one stream. Here is how such a connection is made, who may join it, and how it is kept: the
first request that finds none with room begins one, and while it is being made others join it and wait, each as long as
its connect_timeout says. When it is there the first of them begins at once; the others when the peer's SETTINGS have
said how many streams it allows. Those that are too many are asked anew, elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.demultiplex import Demultiplexer
from gateway._fast.errors import TlsError
from gateway._fast.multiplex import Substream
from gateway.upstream.exchange.attempt import error_words
from gateway.upstream.exchange.keepalive import Keepalive, PeerConnection
from gateway.upstream.exchange.next_upstream import Condition

if TYPE_CHECKING:
    from gateway.upstream.exchange.peer_try import PeerTry
    from gateway.upstream.exchange.tls import ClientTls

# A peer that refuses again and again is not asked for ever.
MOST_REFUSALS: Final = 8


class Carrier(Demultiplexer):
    """Compiled with the types of carrier.pxd: an attribute has its line there too."""

    def __init__(self, keepalive: Keepalive, plain: PeerConnection, tag: Any, lane: Any) -> None:
        """Of a connection that has just begun, by the location `tag`."""
        Demultiplexer.__init__(self, plain.stream)
        self.keepalive = keepalive
        self.lane: Any = lane
        self.sockaddr = plain.sockaddr
        self.is_unix = plain.is_unix
        self.started = plain.started
        self.requests = 0
        self.tag = tag
        self.identity = plain.identity
        self.tls: ClientTls | None = plain.tls  # whose handshake has to come first
        self.since = 0.0  # when the last request went
        self.shaking = False
        self.waiting: list[Any] = []  # (Substream, PeerTry) of those that may not begin yet
        self.failed: Condition | None = None  # why it could not be made,
        self.level = ""
        self.words = b""  # and the log's words
        self.blamed = False  # the peer was, for its end
        keepalive.carriers.append(self)
        if not plain.stream.connecting:
            self.wake()  # nothing else will

    # -- who joins

    def takes(self, sockaddr: bytes, tag: Any, identity: Any, now: float) -> bool:
        """Whether one more request may join, to this address as this location."""
        keepalive = self.keepalive
        if (
            self.closing
            or self.sockaddr != sockaddr
            or (keepalive.local and self.tag is not tag)
            or (self.identity is not identity and self.identity != identity)
        ):
            return False
        if self.requests >= keepalive.requests or now - self.started > keepalive.time_s:
            self.closing = True
            self.ended()
            if not self.members:
                self.stream.close()
            return False
        most = min(keepalive.streams, self.peak if self.settled else keepalive.peaks.get(sockaddr, self.peak))
        return len(self.members) < most

    def join(self, asking: PeerTry) -> PeerConnection:
        """What the request sees as its connection."""
        self.requests += 1
        member = Substream(self, asking)
        self.add(member)
        self.stream.set_deadline(0.0)
        connection = PeerConnection(member, self.sockaddr, self.is_unix, self.lane.fresh())
        connection.carrier = self
        if self.settled:
            self.admit(member)
        else:
            self.waiting.append((member, asking))
        return connection

    # -- how it is made

    def establish(self) -> None:
        stream = self.stream
        if stream.connecting:
            return
        if stream.error and not self.shaking:
            self.breaks(stream.error)
            return
        if self.tls is not None:
            asking = self._first()
            if asking is None or not self._shake_hands(self.tls, asking):
                return
        self.stream.nodelay()
        self.start()
        # One at once: the others have to know first how many there may be.
        while self.waiting:
            member, _ = self.waiting.pop(0)
            if not member.closed:
                self.admit(member)
                break
        if self.stream.readable:
            self.happened()
        else:
            self.push()

    def _first(self) -> PeerTry | None:
        """Whose request the handshake is made for: all that wait would make the same one."""
        for member, asking in self.waiting:
            if not member.closed:
                return asking  # type: ignore[no-any-return]
        return None

    def _shake_hands(self, tls: ClientTls, asking: PeerTry) -> bool:
        """Whether the handshake is done."""
        request = asking.request
        host = asking.upstream.name
        if not self.shaking:
            self.shaking = True
            try:
                stream: Any = tls.secure(self.stream, request, host, self.sockaddr)
            except TlsError as error:
                return self._fails(Condition.OWN_SIDE, "error", str(error).encode("utf-8", "surrogateescape"))
            self.stream = stream
            stream.nodelay()
        else:
            stream = self.stream
        try:
            if not stream.handshake():
                return False
        except OSError as failure:
            from gateway.upstream.exchange.tls import failure_of

            level, words, number = failure_of(failure)
            return self._fails(
                Condition.ERROR, level, words if number is None else b"%b (%b)" % (words, error_words(number))
            )
        problem = tls.problem(stream.ssl, request, host)
        return problem is None or self._fails(Condition.ERROR, "error", problem)

    def _fails(self, condition: Condition, level: str, words: bytes) -> bool:
        self.failed = condition
        self.level = level
        self.words = words
        self.breaks(0)
        return False

    def settle(self) -> None:
        """The peer has said how many streams there may be: the others may begin, or have to look elsewhere."""
        keepalive = self.keepalive
        keepalive.peaks[self.sockaddr] = self.peak
        waiting, self.waiting = self.waiting, []
        room = min(self.peak, keepalive.streams) - (len(self.members) - len(waiting))
        for member, _ in waiting:
            if member.closed:
                continue
            if room > 0:
                room -= 1
                self.admit(member)
            else:
                member.refuse()

    # -- how it is kept

    def emptied(self) -> None:
        """The last request has gone: it waits for the next one, or ends."""
        stream = self.stream
        keepalive = self.keepalive
        if self.closing or not self.begun or stream.error or stream.peer_closed or not keepalive.size:
            self.closing = True
            self.ended()
            self.push()
            stream.close()
            return
        self.since = self.lane.fresh()
        idle = keepalive.idle_carriers()
        if len(idle) > keepalive.size:
            idle[0].reuse()
        stream.set_deadline(self.since + keepalive.timeout_s)

    def ended(self) -> None:
        carriers = self.keepalive.carriers
        if self in carriers:
            carriers.remove(self)

    def late(self) -> None:
        """keepalive_timeout is over."""
        if not self.members:
            self.reuse()

    @property
    def waits_since(self) -> float:
        """Since when it is idle."""
        return self.since if not self.members and not self.closing else -1.0

    def reuse(self) -> None:
        """It is no longer wanted, or worker_connections run short."""
        self.closing = True
        self.ended()
        self.stream.close()
