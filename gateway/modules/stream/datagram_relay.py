"""A session of datagrams on its way to its upstream: each is passed on as it is, and answers are counted."""

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
    """One for each session of a `listen … udp` with proxy_pass.

    Datagrams are passed on as they come, in place; the session's fibre only waits for the end.
    """

    kind = b"udp "

    def __init__(self, session: DatagramSession, settings: RelaySettings, upstream: Upstream | None) -> None:
        super().__init__(session, settings, upstream)
        self.client = session.client
        self.inbox = session.inbox
        self.answers: deque[bytes] = deque()
        self.failure = 0
        self.broken = False  # the kernel refused a datagram, or the peer answered that nobody is there
        self.requests = 0
        self.responses = 0
        self.wanted: int | None = None  # proxy_responses
        self.paces: tuple[Pace, Pace] | None = None
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
            self.session.let_go()  # type: ignore[attr-defined]
            if self.wake is not None:
                self.wake()

    def watch(self) -> None:
        """The client's datagrams come to the session, and from there by take()."""

    def connect(self, peer: Peer) -> int:
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
        self.session.take = None  # type: ignore[attr-defined]
        self.forget()
        self.close(Outcome.FAILED if self.broken else Outcome.OK)

    # -- datagrams both ways -------------------------------------------------------------------------------------

    def start(self) -> int:
        session, settings = self.session, self.settings
        self.connected_now()
        self.wanted = settings.responses
        rates = [0 if rate is None else rate(session) for rate in (settings.upload_rate, settings.download_rate)]
        self.paces = Pace(rates[0], self.began, session.received), Pace(rates[1], self.began, 0)
        first, session.buffer = session.buffer, b""
        if settings.proxy_protocol:
            first = header(settings.proxy_protocol, session, datagram=True) + first
        self._send(first)
        session.take = self.happened  # type: ignore[attr-defined]
        return self.step()

    def step(self) -> int:
        session = self.session
        assert self.paces is not None
        up, down = self.paces
        now = self.lane.fresh()
        self._take_requests(up, now)
        if self.broken and self.stream.fd < 0:
            return SUCCESS
        if not self._give_answers(down, now):
            return SUCCESS
        session.action = b"proxying connection"
        if self._is_done():
            if session.logs("info"):
                session.log("info", b"udp done" + self._packets() + self._counts(), alone=True)
            return SUCCESS
        delays = [pace.delayed_until for pace in (up, down) if pace.delayed_until]
        self.delayed = bool(delays)
        self.until = min(delays) if delays else now + self.timeout
        return WAIT

    def _send(self, data: bytes) -> None:
        session = self.session
        session.action = b"proxying and sending to upstream"
        number = self.stream.send(data)
        if number:
            self.broken = True
            session.log("error", b"send() failed", OSError(number, ""))

    def _take_requests(self, up: Pace, now: float) -> None:
        """What the client sent; what comes while its rate is used up is lost, as with nginx."""
        session, inbox = self.session, self.inbox
        while inbox:
            if not up.allows(now):
                inbox.clear()
                return
            data = inbox.popleft()
            self.requests += 1
            session.received += len(data)
            up.count(len(data), now)
            self._send(data)

    def _give_answers(self, down: Pace, now: float) -> bool:
        """False when the client cannot be sent anything."""
        session, client = self.session, self.client
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

    def _is_done(self) -> bool:
        wanted, most = self.wanted, self.settings.requests
        waiting = wanted is None or self.responses < wanted * self.requests
        self.session.expecting = waiting and wanted is not None  # type: ignore[attr-defined]
        if most and self.requests < most:
            return False
        if most:
            self.session.let_go()  # type: ignore[attr-defined]
        return not waiting

    def timed_out(self) -> int:
        session, wanted = self.session, self.wanted
        if wanted is None or self.responses >= wanted * self.requests:
            session.log("info", b"udp timed out" + self._packets() + self._counts(), alone=True)
            return SUCCESS
        self.broken = True
        session.log("error", b"upstream timed out", _TIMED_OUT)
        return BAD_GATEWAY
