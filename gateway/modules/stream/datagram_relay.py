"""A session of datagrams on its way to its upstream: each is passed on as it is, and answers are counted."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.datagrams import Datagrams, open_datagrams
from gateway.core.lane import park
from gateway.core.proxy_header import header
from gateway.modules.stream.relay import Relay
from gateway.stream.module import BAD_GATEWAY, SUCCESS
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway.stream.datagrams import DatagramSession
    from gateway.upstream.peers.peers import Peer

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")
# Answers that wait for proxy_download_rate; the others wait in the socket.
_WAITING: Final = 64


class Pace:
    """A rate, by whole datagrams."""

    __slots__ = ("began", "delayed_until", "moved", "rate")

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
        over = self.moved - self.rate * (int(now) - self.began + 1)
        if over >= 0:
            self.delayed_until = now + over / self.rate + 0.001
            return False
        return True

    def count(self, size: int, now: float) -> None:
        self.moved += size
        if self.rate and size * 1000 >= self.rate:
            self.delayed_until = now + size / self.rate


class DatagramRelay(Relay):
    """One for each session of a `listen … udp` with proxy_pass."""

    kind = b"udp "
    session: DatagramSession
    broken = False  # the kernel refused a datagram, or the peer answered that nobody is there

    async def _connect(self, peer: Peer, wake: Callable[[], object]) -> int:
        conf = self.conf
        self.wake = wake
        self.answers: deque[bytes] = deque()
        self.failure = 0
        self.broken = False
        self.requests, self.responses = 1, 0
        made: Any = open_datagrams(
            self.lane,
            peer.sockaddr,
            self._arrived,
            self._failed,
            local=self.local,
            transparent=conf.transparent,
            rcvbuf=conf.socket_rcvbuf,
            sndbuf=conf.socket_sndbuf,
        )
        self.stream = made
        return SUCCESS

    @property
    def socket(self) -> Datagrams:
        made: Any = self.stream
        return made  # type: ignore[no-any-return]

    def _recovered(self, peer: Peer) -> None:
        """Nothing is known of a peer that datagrams can be sent to."""

    def _arrived(self, data: bytes, peer: bytes, local: bytes | None) -> None:
        self.answers.append(data)
        if len(self.answers) >= _WAITING:
            self.socket.pause()
        self.wake()

    def _failed(self, number: int) -> None:
        self.failure = number
        self.wake()

    def _packets(self) -> bytes:
        return b", packets from/to client:%d/%d" % (self.requests, self.responses)

    def release(self) -> None:
        self._close(Outcome.FAILED if self.broken else Outcome.OK)

    # -- datagrams both ways -------------------------------------------------------------------------------------

    async def _pass(self) -> int:
        session, conf, lane = self.session, self.conf, self.lane
        rates = [0 if rate is None else rate(session) for rate in (conf.upload_rate, conf.download_rate)]
        up = Pace(rates[0], self.began, session.received)
        down = Pace(rates[1], self.began, 0)
        first, session.buffer = session.buffer, b""
        if conf.proxy_protocol:
            first = header(conf.proxy_protocol, session, datagram=True) + first
        now = lane.now
        self._send(first)

        def take() -> None:
            # in place, and not when the fibre has its turn: another datagram of this client may be the next session's
            self._take_requests(up, lane.now)
            self._is_done()

        session.take = take
        while True:
            self._take_requests(up, now)
            if self.broken and self.socket.fd < 0:
                return SUCCESS
            if not self._give_answers(down, now):
                return SUCCESS
            session.action = b"proxying connection"
            if self._is_done():
                session.log("info", b"udp done" + self._packets() + self._counts(), alone=True)
                return SUCCESS
            delays = [pace.delayed_until for pace in (up, down) if pace.delayed_until]
            woken = await park(min(delays) if delays else now + conf.timeout)
            now = lane.now
            if not woken and not delays:
                return self._timed_out()

    def _send(self, data: bytes) -> None:
        session = self.session
        session.action = b"proxying and sending to upstream"
        number = self.socket.send(data)
        if number:
            self.broken = True
            session.log("error", b"send() failed", OSError(number, ""))

    def _take_requests(self, up: Pace, now: float) -> None:
        """What the client sent; what comes while its rate is used up is lost, as with nginx."""
        session = self.session
        while session.inbox:
            if not up.allows(now):
                session.inbox.clear()
                return
            data = session.inbox.popleft()
            self.requests += 1
            session.received += len(data)
            up.count(len(data), now)
            self._send(data)

    def _give_answers(self, down: Pace, now: float) -> bool:
        """False when the client cannot be sent anything."""
        session, client = self.session, self.session.client
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
        if self.socket.paused and len(self.answers) < _WAITING:
            self.socket.resume()
        if self.failure:
            session.action = b"proxying and reading from upstream"
            session.log("error", b"recv() failed", OSError(self.failure, ""))
            self.failure, self.broken = 0, True
            self.responses += 1  # nginx counts it: nothing more is expected in its place
        return True

    def _is_done(self) -> bool:
        conf, session = self.conf, self.session
        waiting = conf.responses is None or self.responses < conf.responses * self.requests
        session.expecting = waiting and conf.responses is not None
        if conf.requests and self.requests < conf.requests:
            return False
        if conf.requests:
            session.let_go()
        return not waiting

    def _timed_out(self) -> int:
        conf, session = self.conf, self.session
        if conf.responses is None or self.responses >= conf.responses * self.requests:
            session.log("info", b"udp timed out" + self._packets() + self._counts(), alone=True)
            return SUCCESS
        self.broken = True
        session.log("error", b"upstream timed out", _TIMED_OUT)
        return BAD_GATEWAY
