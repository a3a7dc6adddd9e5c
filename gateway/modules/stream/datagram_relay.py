"""A session of datagrams on its way to its upstream: each is passed on as it is, and answers are counted.

Compiled with the types of datagram_relay.pxd.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from gateway._fast.datagrams import open_datagrams
from gateway.core.lane import current_fibre, park
from gateway.core.proxy_header import header
from gateway.modules.stream.relay import Relay
from gateway.stream.module import BAD_GATEWAY, CONNECTED, DONE, SUCCESS, WAIT
from gateway.stream.session import Number
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway.modules.stream.relay import RelaySettings
    from gateway.stream.datagrams import DatagramSession
    from gateway.upstream.peers.peers import Peer
    from gateway.upstream.peers.upstreams import Upstream

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")
# Answers that wait for proxy_download_rate; the others wait in the socket.
_WAITING: Final = 64


class Pace:
    """A rate, by whole datagrams."""

    def __init__(self, rate: int, began: float, moved: int) -> None:
        self.rate = rate  # bytes a second, 0 for no limit
        self.began = int(began)
        self.moved = moved
        self.delayed_until = 0.0

    def allows(self, now: float) -> bool:
        """Whether another one may pass now; else `delayed_until` says when."""
        if not self.rate:
            return True
        if now < self.delayed_until:
            return False
        self.delayed_until = 0.0
        over = self.moved - float(self.rate) * (int(now) - self.began + 1)
        if over >= 0:
            self.delayed_until = now + over / self.rate + 0.001
            return False
        return True

    def count(self, size: Number, now: float) -> None:
        self.moved += size
        if self.rate and size * 1000 >= self.rate:
            self.delayed_until = now + size / self.rate


class DatagramRelay(Relay):
    """One for each session of a `listen … udp` with proxy_pass.

    Datagrams are passed on as they come, in place; the session's fibre only waits for the end.
    """

    kind = b"udp "

    def __init__(self, session: DatagramSession, settings: RelaySettings, upstream: Upstream | None) -> None:
        Relay.__init__(self, session, settings, upstream)
        self.asker = session
        self.client = session.client
        self.inbox = session.inbox
        self.answers: deque[bytes] = deque()
        self.failure = 0
        self.broken = False  # the kernel refused a datagram, or the peer answered that nobody is there
        self.requests = 0
        self.responses = 0
        self.bounded = settings.responses is not None  # proxy_responses is set: the session ends with them
        self.wanted = settings.responses or 0
        self.most = settings.requests
        self.up_pace: Pace | None = None
        self.down_pace: Pace | None = None
        self.result: int | Awaitable[int] = DONE
        self.wake: Callable[[], object] | None = None

    def begin(self) -> int | Awaitable[int]:
        result = Relay.begin(self)
        return self._until_end() if result == DONE else result

    async def _until_end(self) -> int:
        fibre = current_fibre()
        assert fibre is not None
        self.wake = fibre.wake
        while self.result == DONE:
            await park()
        assert isinstance(self.result, int)
        return self.result

    def ended(self, result: int | Awaitable[int]) -> None:
        if result != DONE and self.result == DONE:
            self.result = result
            self.forget()
            self.asker.let_go()
            if self.wake is not None:
                self.wake()

    def watch(self) -> None:
        """The client's datagrams come to the session, and from there by take()."""

    def connect(self, peer: Peer) -> Number:
        settings = self.settings
        self.answers.clear()
        self.failure = 0
        self.broken = False
        self.requests, self.responses = 1, 0
        self.stream = open_datagrams(
            self.lane,
            peer.sockaddr,
            self._arrived,
            self._failed,
            local=self.local,
            transparent=settings.transparent,
            rcvbuf=settings.socket_rcvbuf,
            sndbuf=settings.socket_sndbuf,
        )
        return CONNECTED

    def _recovered(self, peer: Peer) -> None:
        """Nothing is known of a peer that datagrams can be sent to."""

    def _arrived(self, data: bytes, peer: bytes, local: bytes | None) -> None:
        self.answers.append(data)
        if len(self.answers) >= _WAITING:
            self.stream.pause()
        self.happened()

    def _failed(self, number: int) -> None:
        self.failure = number
        self.happened()

    def _packets(self) -> bytes:
        return b", packets from/to client:%d/%d" % (self.requests, self.responses)

    def release(self) -> None:
        self.asker.take = None
        self.forget()
        self.close(Outcome.FAILED if self.broken else Outcome.OK)

    # -- datagrams both ways -------------------------------------------------------------------------------------

    def start(self) -> Number:
        session, settings = self.session, self.settings
        self.connected_now()
        rates = [0 if rate is None else rate(session) for rate in (settings.upload_rate, settings.download_rate)]
        self.up_pace = Pace(rates[0], self.began, session.received)
        self.down_pace = Pace(rates[1], self.began, 0)
        first, session.buffer = session.buffer, b""
        if settings.proxy_protocol:
            first = header(settings.proxy_protocol, session, datagram=True) + first
        self._send(first)
        self.asker.take = self
        return self.step()

    def step(self) -> Number:
        session = self.asker
        now = self.lane.fresh()
        self._take_requests(now)
        if self.broken and self.stream.fd < 0:
            return SUCCESS
        if not self._give_answers(now):
            return SUCCESS
        session.action = b"proxying connection"
        if self._is_done():
            if session.logs("info"):
                session.log("info", b"udp done" + self._packets() + self._counts(), alone=True)
            return SUCCESS
        assert self.up_pace is not None and self.down_pace is not None
        first, second = self.up_pace.delayed_until, self.down_pace.delayed_until
        self.delayed = first > 0 or second > 0
        if self.delayed:
            self.until = min(first or second, second or first)
        else:
            self.until = now + self.timeout
        return WAIT

    def _send(self, data: bytes) -> None:
        session = self.asker
        session.action = b"proxying and sending to upstream"
        number = self.stream.send(data)
        if number:
            self.broken = True
            session.log("error", b"send() failed", OSError(number, ""))

    def _take_requests(self, now: float) -> None:
        """What the client sent; what comes while its rate is used up is lost, as with nginx."""
        session, inbox, up = self.asker, self.inbox, self.up_pace
        assert up is not None
        while inbox:
            if not up.allows(now):
                inbox.clear()
                return
            data = inbox.popleft()
            self.requests += 1
            session.received += len(data)
            up.count(len(data), now)
            self._send(data)

    def _give_answers(self, now: float) -> bool:
        """False when the client cannot be sent anything."""
        session, client, down = self.asker, self.client, self.down_pace
        assert down is not None
        while self.answers and down.allows(now):
            data = self.answers.popleft()
            self.responses += 1
            self.received += len(data)
            down.count(len(data), now)
            if self.attempt is not None and self.attempt.head_read < 0:
                self._first_byte(now)
            client.send(data)
            if client.error:
                session.action = b"proxying and sending to client"
                session.log("info", b"sendmsg() failed", OSError(client.error, ""))
                return False
        if self.stream.paused and len(self.answers) < _WAITING:
            self.stream.resume()
        if self.failure:
            session.action = b"proxying and reading from upstream"
            session.log("error", b"recv() failed", OSError(self.failure, ""))
            self.failure, self.broken = 0, True
            self.responses += 1  # nginx counts it: nothing more is expected in its place
        return True

    def _waits(self) -> bool:
        """Whether answers are still to come, or nobody has said how many."""
        return not self.bounded or self.responses < self.wanted * self.requests

    def _is_done(self) -> bool:
        waiting = self._waits()
        self.asker.expecting = waiting and self.bounded
        if self.most:
            if self.requests < self.most:
                return False
            self.asker.let_go()
        return not waiting

    def timed_out(self) -> Number:
        session = self.asker
        if not self.bounded or not self._waits():
            session.log("info", b"udp timed out" + self._packets() + self._counts(), alone=True)
            return SUCCESS
        self.broken = True
        session.log("error", b"upstream timed out", _TIMED_OUT)
        return BAD_GATEWAY
