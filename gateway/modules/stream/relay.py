"""A session's way to its upstream: try after try until a peer has taken the connection, then bytes both ways.

It needs no fibre: any event of either stream, and the deadline that comes first, call the relay, which does what can be
done and waits again. Only TLS to the upstream awaits. Compiled with the types of relay.pxd.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.lane import NoRoom, local_sockaddr, open_stream, sockaddr_text
from gateway._fast.peers import IS_BACK
from gateway._fast.watcher import Watcher
from gateway.core.lane import current_fibre
from gateway.core.proxy_header import header
from gateway.core.transport import ORDINARY
from gateway.core.way import Way
from gateway.modules.stream import proxy_ssl
from gateway.stream.module import BAD_GATEWAY, CONNECTED, DONE, FAILED, INTERNAL_ERROR, SUCCESS, WAIT
from gateway.stream.session import Number, address_text
from gateway.upstream.exchange.attempt import Attempt, error_words
from gateway.upstream.peers.changes import tell_change
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.modules.stream.proxy import ServerConf
    from gateway.stream.session import Session
    from gateway.upstream.exchange.conf import Local
    from gateway.upstream.exchange.tls import ClientTls
    from gateway.upstream.peers.peers import Choice, Peer
    from gateway.upstream.peers.upstreams import Upstream

# What a step came to, beside the module's words: the connection is there, and TLS has to come over it.
_SECURE: Final = -4
# What a relay is at.
_CONNECTING: Final = 0
_SECURING: Final = 1  # in a fibre
_PASSING: Final = 2
_OVER: Final = 3
_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")
# Members of an enum, bound: a look-up in an enum costs more than a system call.
_OK: Final = Outcome.OK
_FAILURE: Final = Outcome.FAILED


class RelaySettings:
    """What a relay reads of the proxy_ directives of its server: the compiled copy."""

    def __init__(self, conf: ServerConf) -> None:
        self.connect_timeout = conf.connect_timeout
        self.timeout = conf.timeout
        self.buffer_size = conf.buffer_size
        self.next_upstream = conf.next_upstream
        self.next_upstream_tries = conf.next_upstream_tries
        self.next_upstream_timeout = conf.next_upstream_timeout
        self.upload_rate: Callable[[Any], int] | None = conf.upload_rate
        self.download_rate: Callable[[Any], int] | None = conf.download_rate
        self.proxy_protocol = conf.proxy_protocol
        self.half_close = conf.half_close
        self.requests = conf.requests
        self.responses: int | None = conf.responses
        self.socket_rcvbuf = conf.socket_rcvbuf
        self.socket_sndbuf = conf.socket_sndbuf
        self.socket_keepalive = conf.socket_keepalive
        self.local: Local | None = conf.local
        self.transparent = conf.transparent
        self.client_tls: ClientTls | None = conf.client_tls


class Relay(Watcher):
    """One for each session of a server with proxy_pass."""

    kind = b""  # in the log

    def __init__(self, session: Session, settings: RelaySettings, upstream: Upstream | None) -> None:
        self.session = session
        self.settings = settings
        self.upstream = upstream
        self.lane = session.lane
        self.attempts: list[Attempt] = []
        self.attempt: Attempt | None = None
        self.choice: Choice | None = None
        self.peer: Peer | None = None  # the one that is taken now
        self.asked: Peer | None = None  # the present or last one, for the error log
        self.stream: Any = None  # to the peer: a Stream, or the socket of its datagrams
        self.received = 0
        self.local: bytes | None = None  # proxy_bind
        self.client_ended = False  # before there was a connection to the upstream
        self.header_sent = False  # PROXY protocol's
        self.began = 0.0
        self.upload = 0  # bytes a second from the client, 0 for no limit
        self.upload_until = 0.0  # nothing more is read of the client before that: the rate, of what was read ahead
        self.at = _CONNECTING
        self.up: Way | None = None
        self.down: Way | None = None
        self.timeout = 0.0
        self.half_close = False
        self.until = 0.0  # when it wants to go on, whatever happens
        self.planned = 0.0  # when the lane will call late(), which looks at `until`; 0: it will not
        self.delayed = False  # `until` is when a rate lets it go on, and not the end of its patience
        session.upstream = self

    def log_context(self) -> bytes:
        """What the error log has of it behind the client and the server."""
        upstream = b', upstream: "%b"' % self.asked.name if self.asked is not None else b""
        return upstream + self._counts()

    def _counts(self) -> bytes:
        session = self.session
        return b", bytes from/to client:%d/%d, bytes from/to upstream:%d/%d" % (
            session.received,
            session.stream.sent,
            self.received,
            self.stream.sent if self.stream is not None else 0,
        )

    # -- the whole -----------------------------------------------------------------------------------------------

    def begin(self) -> int | Awaitable[int]:
        """The content of the session: DONE when it goes on by itself, and ends the session."""
        session, settings = self.session, self.settings
        assert self.upstream is not None
        if settings.local is not None:
            address = settings.local(session)
            self.local = address.sockaddr if address is not None else None
        self.upload = 0 if settings.upload_rate is None else settings.upload_rate(session)
        session.received = len(session.buffer)
        self.choice = self.upstream.choose(session)
        self.began = self.lane.fresh()
        if settings.next_upstream_tries:
            self.choice.tries = min(self.choice.tries, settings.next_upstream_tries)
        self.watch()
        return self.go_on(self.begin_try())

    def watch(self) -> None:
        """From now on what the client does is told to this."""
        self.session.stream.handler = self

    def go_on(self, status: Number) -> int | Awaitable[int]:
        """From what a step came to, as far as it goes: the session's status, DONE, or what has to be awaited."""
        while status == FAILED:
            if not self._may_go_on():
                return BAD_GATEWAY
            status = self.begin_try()
        if status == _SECURE:
            self.at = _SECURING
            return self._secure()
        if status == CONNECTED:
            status = self.start()
        if status == WAIT:
            self._plan()
            return DONE
        return status

    def happened(self) -> None:
        """An event on either side."""
        if self.at != _CONNECTING and self.at != _PASSING:
            return
        try:
            result = self.go_on(self.connected() if self.at == _CONNECTING else self.step())
        except Exception as error:
            self.session.failed(error)
            return
        self.ended(result)

    def ended(self, result: int | Awaitable[int]) -> None:
        """It came so far by itself: the session is told."""
        self.session.go_on(result)

    def late(self) -> None:
        """The time that was the first when it was set has come."""
        self.planned = 0.0
        if self.until > self.lane.fresh():
            self._plan()
        elif self.at == _CONNECTING or self.delayed:
            self.happened()
        elif self.at == _PASSING:
            self.ended(self.timed_out())

    def timed_out(self) -> Number:
        """Nothing came from either side for so long."""
        self.session.log("info", b"connection timed out", _TIMED_OUT)
        return SUCCESS

    def stopped(self) -> None:
        """The worker ends."""
        if self.at != _SECURING:
            self.session.close()

    def _plan(self) -> None:
        """See that late() is called at `until`, or before."""
        until = self.until
        if until and (not self.planned or until < self.planned):
            self.planned = until
            self.lane.plan(self, until)

    # -- one try -------------------------------------------------------------------------------------------------

    def begin_try(self) -> Number:
        """Begin to connect to the next peer; what connected() says."""
        session, choice = self.session, self.choice
        assert choice is not None and self.upstream is not None
        session.action = b"connecting to upstream"
        self.at = _CONNECTING
        now = self.lane.fresh()
        peer = self.peer = self.asked = choice.get(int(now))
        attempt = self.attempt = Attempt(peer.name if peer is not None else self.upstream.name, now)
        self.attempts.append(attempt)
        if peer is None:
            session.log("error", b"no live upstreams")
            return BAD_GATEWAY
        try:
            return self.connect(peer)
        except NoRoom as error:
            session.log("alert", str(error))
            return INTERNAL_ERROR
        except OSError as error:
            return self._refused(peer, error)

    def _recovered(self, peer: Peer) -> None:
        """A peer that takes connections again is whole again, for other sessions too, while this one goes on."""
        assert self.choice is not None
        if peer.fails:
            back = False
            with self.choice.group.lock or nullcontext():
                if peer.accessed < peer.checked:
                    back = 0 < peer.max_fails <= peer.fails
                    peer.fails = 0
                    if back:
                        peer.came_back()
            if back:
                tell_change(IS_BACK, self.choice.group.name, peer, b"")

    def _refused(self, peer: Peer, error: OSError) -> int:
        session = self.session
        if error.filename is not None:  # our own side failed before the peer was asked
            session.log("alert" if error.filename != b"bind()" else "crit", b"%b failed" % error.filename, error)
            return INTERNAL_ERROR
        level = "error" if error.errno in ORDINARY else "crit"
        if self.attempt is not None:
            self.attempt.error = error
        session.log(level, b"connect() to %b failed" % peer.name, error)
        return FAILED

    def connect(self, peer: Peer) -> Number:
        """Begin a connection. Errors: OSError, see open_stream()."""
        session, settings = self.session, self.settings
        stream = open_stream(
            self.lane,
            peer.sockaddr,
            self.local,
            settings.socket_keepalive,
            session.server.core.tcp_nodelay,
            settings.transparent,
        )
        self.stream = stream
        if settings.socket_rcvbuf:
            stream.set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.socket_rcvbuf)
        if settings.socket_sndbuf:
            stream.set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.socket_sndbuf)
        stream.handler = self
        self.until = self.lane.fresh() + settings.connect_timeout
        return self.connected()

    def connected(self) -> Number:
        """Whether the connection is there: CONNECTED, WAIT, or why it is not."""
        session, attempt = self.session, self.attempt
        assert attempt is not None
        stream: Stream = self.stream
        if stream.connecting:
            self._read_ahead()
            if self.lane.fresh() < self.until:
                return WAIT
            attempt.error = _TIMED_OUT
            session.log("error", b"upstream timed out", _TIMED_OUT)
            return FAILED
        if stream.error:
            failed = attempt.error = OSError(stream.error, "")
            session.log("error" if failed.errno in ORDINARY else "alert", b"connect() failed", failed)
            return FAILED
        if self.settings.client_tls is not None:
            self.header_sent = False
            return _SECURE
        return CONNECTED

    async def _secure(self) -> int:
        fibre = current_fibre()
        tls = self.settings.client_tls
        assert fibre is not None and self.peer is not None and tls is not None
        self.session.stream.handler = self.stream.handler = fibre.wake
        status = await proxy_ssl.secure(self, tls, self.peer, fibre.wake)
        self.watch()
        if status == CONNECTED:
            self.stream.handler = self
        rest = self.go_on(status)
        return rest if isinstance(rest, int) else await rest

    def _log_connected(self) -> None:
        session = self.session
        if self.asked is not None and self.stream is not None and session.logs("info"):
            fd = self.stream.fd
            local = b"unix:" if self.asked.is_unix else address_text(sockaddr_text(local_sockaddr(fd)))
            words = b"%bproxy %b connected to %b" % (self.kind, local, self.asked.name)
            session.log("info", words, alone=True)

    def _read_ahead(self) -> None:
        """What the client sends before there is anybody to send it to: as much as a buffer holds."""
        session, room = self.session, self.settings.buffer_size
        if self.upload:
            room = min(room, self.upload)
        client = session.stream
        while not self.client_ended and client.readable and len(session.buffer) < room:
            try:
                data = client.recv(room - len(session.buffer))
            except OSError as error:
                session.log("info", b"recv() failed", error)
                data = b""
            if data is None:
                break
            self.client_ended = not data
            session.buffer += data
            session.received += len(data)
            if self.upload:
                self.upload_until = self.lane.fresh() + len(data) / self.upload

    def _may_go_on(self) -> bool:
        """The present try failed: whether there is another one."""
        settings, choice = self.settings, self.choice
        assert choice is not None
        self.close(_FAILURE)
        return bool(
            choice.tries
            and settings.next_upstream
            and not (settings.next_upstream_timeout and self.lane.now - self.began >= settings.next_upstream_timeout)
        )

    def close(self, outcome: Outcome) -> None:
        attempt, stream = self.attempt, self.stream
        if attempt is not None and attempt.ended < 0:
            attempt.ended = self.lane.now
            attempt.received = self.received
            if stream is not None:
                attempt.sent = stream.sent
        peer = self.peer
        if peer is not None and self.choice is not None:
            self.peer = None
            if change := self.choice.free(outcome, int(self.lane.now), attempt):
                self._changed(peer, change)
        if stream is not None:
            self.stream = None
            stream.close()

    def _changed(self, peer: Peer, change: int) -> None:
        if change != IS_BACK:
            self.session.log("warn", b"upstream server temporarily disabled")
        assert self.upstream is not None
        error = self.attempt.error if self.attempt is not None else None
        words = b"failed" if error is None else error_words(error)
        tell_change(change, self.upstream.name, peer, words + b" while " + (self.session.action or b"connecting"))

    def release(self) -> None:
        """The session ends, however it came: the records are closed, and the connection."""
        self.session.stream.handler = None
        self.forget()
        self.close(_OK)

    def forget(self) -> None:
        """Nothing more will happen."""
        self.at = _OVER
        self.until = 0.0
        if self.planned:
            self.planned = 0.0
            self.lane.unplan(self)

    # -- bytes both ways -----------------------------------------------------------------------------------------

    def start(self) -> Number:
        """The peer has taken the connection: what step() says."""
        session, settings = self.session, self.settings
        stream: Stream = self.stream
        self.connected_now()
        self.half_close = settings.half_close
        # what goes to the upstream before the client's bytes that are still to come
        if settings.proxy_protocol and not self.header_sent:
            stream.write(header(settings.proxy_protocol, session))
        early = session.buffer
        if early:
            session.buffer = b""
            stream.write(early)
        stream.flush()
        download = 0 if settings.download_rate is None else settings.download_rate(session)
        room = settings.buffer_size
        self.up = Way(session.stream, stream, room, self.upload, self.began)
        self.down = Way(stream, session.stream, room, download, self.began)
        self.up.ended = self.client_ended
        self.up.moved = session.received  # what was read before there was an upstream counts
        self.up.delayed_until = self.upload_until
        return self.step()

    def connected_now(self) -> None:
        """The peer is there, and bytes may pass."""
        choice, attempt = self.choice, self.attempt
        assert attempt is not None and choice is not None and self.peer is not None
        attempt.connected = self.lane.fresh()
        self._log_connected()
        self._recovered(self.peer)
        if choice.notify and choice.at_connect:
            choice.head_came(attempt)
        self.at = _PASSING
        self.timeout = self.settings.timeout

    def step(self) -> Number:
        """Pass on what there is: WAIT, or the session's status."""
        session, up, down, attempt = self.session, self.up, self.down, self.attempt
        assert up is not None and down is not None and attempt is not None
        now = self.lane.fresh()
        error = up.move(now)
        session.received = up.moved
        if error is not None:
            session.action = b"proxying and reading from client"
            session.log("info", b"recv() failed", error)
        if up.target.error:
            session.action = b"proxying and sending to upstream"
            session.log("error", b"send() failed", OSError(up.target.error, ""))
            return SUCCESS
        error = down.move(now)
        self.received = down.moved
        if down.moved and attempt.head_read < 0:
            self._first_byte(now)
        if error is not None:
            session.action = b"proxying and reading from upstream"
            session.log("error", b"recv() failed", error)
        if down.target.error:
            session.action = b"proxying and sending to client"
            session.log("info", b"send() failed", OSError(down.target.error, ""))
            return SUCCESS
        session.action = b"proxying connection"
        if up.ended or down.ended:
            if self._is_over(up, down):
                if session.logs("info"):
                    who = b"client" if up.ended and not down.ended else b"upstream"
                    session.log("info", who + b" disconnected" + self._counts(), alone=True)
                return SUCCESS
            if self.half_close:
                self._half_close(up)
                self._half_close(down)
        self.delayed = bool(up.delayed_until or down.delayed_until)
        if self.delayed:
            self.until = min([way.delayed_until for way in (up, down) if way.delayed_until])
        else:
            self.until = now + self.timeout
        return WAIT

    def _half_close(self, way: Way) -> None:
        if way.drained() and not way.half_closed:
            way.half_closed = True
            way.target.shutdown_write()

    def _first_byte(self, now: float) -> None:
        assert self.attempt is not None and self.choice is not None
        self.attempt.head_read = now
        if self.choice.notify and not self.choice.at_connect:
            self.choice.head_came(self.attempt)

    def _is_over(self, up: Way, down: Way) -> bool:
        if self.half_close:
            return up.drained() and down.drained()
        # what one side has sent before its end still goes to the other one
        return up.drained() or down.drained()
