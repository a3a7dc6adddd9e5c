"""A session's way to its upstream: try after try until a peer has taken the connection, then bytes both ways."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway._fast.lane import local_sockaddr, sockaddr_text
from gateway.core.lane import NoRoom, current_fibre, park
from gateway.core.proxy_header import header
from gateway.core.transport import ORDINARY, connect
from gateway.core.way import Way
from gateway.modules.stream import proxy_ssl
from gateway.stream.module import BAD_GATEWAY, INTERNAL_ERROR, SUCCESS
from gateway.stream.session import address_text
from gateway.upstream.exchange.attempt import Attempt
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.stream.session import Session
    from gateway.upstream.exchange.conf import Local
    from gateway.upstream.exchange.tls import ClientTls
    from gateway.upstream.peers.peers import Choice, Peer
    from gateway.upstream.peers.upstreams import Upstream

_FAILED: Final = -1  # a try that leads to the next one; all else is a status
_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")


class RelayConf(Protocol):
    """What a relay reads of the proxy_ directives."""

    connect_timeout: float
    timeout: float
    buffer_size: int
    next_upstream: bool
    next_upstream_tries: int
    next_upstream_timeout: float
    upload_rate: Callable[[Any], int] | None
    download_rate: Callable[[Any], int] | None
    proxy_protocol: int
    half_close: bool
    requests: int
    responses: int | None
    socket_rcvbuf: int
    socket_sndbuf: int
    socket_keepalive: bool
    local: Local | None
    transparent: bool
    client_tls: ClientTls | None


class Relay:
    """One for each session of a server with proxy_pass."""

    kind = b""  # in the log

    def __init__(self, session: Session, conf: RelayConf, upstream: Upstream | None) -> None:
        self.session = session
        self.conf = conf
        self.upstream = upstream
        self.lane = session.lane
        self.attempts: list[Attempt] = []
        self.attempt: Attempt | None = None
        self.choice: Choice | None = None
        self.peer: Peer | None = None  # the one that is taken now
        self.asked: Peer | None = None  # the present or last one, for the error log
        self.stream: Stream | None = None
        self.received = 0
        self.local: bytes | None = None  # proxy_bind
        self.client_ended = False  # before there was a connection to the upstream
        self.header_sent = False  # PROXY protocol's
        self.began = 0.0
        self.upload = 0  # bytes a second from the client, 0 for no limit
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

    async def run(self) -> int:
        """The session's status. The upstream's connection is closed by release()."""
        session, conf = self.session, self.conf
        assert self.upstream is not None
        if conf.local is not None:
            address = conf.local(session)
            self.local = address.sockaddr if address is not None else None
        self.upload = 0 if conf.upload_rate is None else conf.upload_rate(session)
        fibre = current_fibre()
        assert fibre is not None
        session.stream.handler = fibre.wake
        session.received = len(session.buffer)
        self.choice = self.upstream.choose(session)
        self.began = self.lane.now
        if conf.next_upstream_tries:
            self.choice.tries = min(self.choice.tries, conf.next_upstream_tries)
        while True:
            status = await self._try(fibre.wake)
            if status != _FAILED:
                break
            if not self._may_go_on():
                return BAD_GATEWAY
        return await self._pass() if status == SUCCESS else status

    # -- one try -------------------------------------------------------------------------------------------------

    async def _try(self, wake: Callable[[], object]) -> int:
        """Connect to the next peer: SUCCESS when it is there."""
        session, choice = self.session, self.choice
        assert choice is not None and self.upstream is not None
        session.action = b"connecting to upstream"
        now = self.lane.now
        self.peer = self.asked = choice.get(int(now))
        attempt = self.attempt = Attempt(self.peer.name if self.peer is not None else self.upstream.name, now)
        self.attempts.append(attempt)
        if self.peer is None:
            session.log("error", b"no live upstreams")
            return BAD_GATEWAY
        try:
            status = await self._connect(self.peer, wake)
        except NoRoom as error:
            session.log("alert", str(error))
            return INTERNAL_ERROR
        except OSError as error:
            return self._refused(self.peer, error)
        if status == SUCCESS:
            attempt.connected = self.lane.now
            self._log_connected()
            self._recovered(self.peer)
            if choice.notify and choice.at_connect:
                choice.head_came(attempt)
        return status

    def _recovered(self, peer: Peer) -> None:
        """A peer that takes connections again is whole again, for other sessions too, while this one goes on."""
        assert self.choice is not None
        with self.choice.group.lock or nullcontext():
            if peer.accessed < peer.checked:
                peer.fails = 0

    def _refused(self, peer: Peer, error: OSError) -> int:
        session = self.session
        if error.filename is not None:  # our own side failed before the peer was asked
            session.log("alert" if error.filename != b"bind()" else "crit", b"%b failed" % error.filename, error)
            return INTERNAL_ERROR
        level = "error" if error.errno in ORDINARY else "crit"
        session.log(level, b"connect() to %b failed" % peer.name, error)
        return _FAILED

    async def _connect(self, peer: Peer, wake: Callable[[], object]) -> int:
        """SUCCESS when the connection is there. Errors: OSError, see connect()."""
        session, conf = self.session, self.conf
        stream = self.stream = connect(
            self.lane,
            peer.sockaddr,
            bind=self.local,
            keepalive=conf.socket_keepalive,
            nodelay=session.server.core.tcp_nodelay,
            transparent=conf.transparent,
        )
        for option, size in ((socket.SO_RCVBUF, conf.socket_rcvbuf), (socket.SO_SNDBUF, conf.socket_sndbuf)):
            if size:
                stream.set_option(socket.SOL_SOCKET, option, size)
        stream.handler = wake
        deadline = self.lane.now + conf.connect_timeout
        while stream.connecting:
            self._read_ahead()
            if not await park(deadline) and stream.connecting:
                session.log("error", b"upstream timed out", _TIMED_OUT)
                return _FAILED
        if stream.error:
            failed = OSError(stream.error, "")
            session.log("error" if failed.errno in ORDINARY else "alert", b"connect() failed", failed)
            return _FAILED
        if conf.client_tls is not None:
            self.header_sent = False
            return await proxy_ssl.secure(self, conf.client_tls, peer, wake)
        return SUCCESS

    def _log_connected(self) -> None:
        session = self.session
        if self.asked is not None and self.stream is not None and session.logs("info"):
            fd = self.stream.fd
            local = b"unix:" if self.asked.is_unix else address_text(sockaddr_text(local_sockaddr(fd)))
            words = b"%bproxy %b connected to %b" % (self.kind, local, self.asked.name)
            session.log("info", words, alone=True)

    def _read_ahead(self) -> None:
        """What the client sends before there is anybody to send it to: as much as a buffer holds."""
        session, room = self.session, self.conf.buffer_size
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

    def _may_go_on(self) -> bool:
        """The present try failed: whether there is another one."""
        conf, choice = self.conf, self.choice
        assert choice is not None
        self._close(Outcome.FAILED)
        return bool(
            choice.tries
            and conf.next_upstream
            and not (conf.next_upstream_timeout and self.lane.now - self.began >= conf.next_upstream_timeout)
        )

    def _close(self, outcome: Outcome) -> None:
        attempt, stream = self.attempt, self.stream
        if attempt is not None and attempt.ended < 0:
            attempt.ended = self.lane.now
            attempt.received = self.received
            if stream is not None:
                attempt.sent = stream.sent
        if self.peer is not None and self.choice is not None:
            self.peer = None
            if self.choice.free(outcome, int(self.lane.now), attempt):
                self.session.log("warn", b"upstream server temporarily disabled")
        if stream is not None:
            self.stream = None
            stream.close()

    def release(self) -> None:
        """The session ends, however it came: the records are closed, and the connection."""
        self._close(Outcome.OK)

    # -- bytes both ways -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """What goes to the upstream before the client's bytes that are still to come."""
        session, stream = self.session, self.stream
        assert stream is not None
        if self.conf.proxy_protocol and not self.header_sent:
            stream.write(header(self.conf.proxy_protocol, session))
        early, session.buffer = session.buffer, b""
        if early:
            stream.write(early)
        stream.flush()

    async def _pass(self) -> int:
        session, conf, stream, lane = self.session, self.conf, self.stream, self.lane
        assert stream is not None and self.attempt is not None
        client = session.stream
        self._begin()
        download = 0 if conf.download_rate is None else conf.download_rate(session)
        up = Way(client, stream, conf.buffer_size, self.upload, self.began)
        down = Way(stream, client, conf.buffer_size, download, self.began)
        up.ended = self.client_ended
        up.moved = session.received  # what was read before there was an upstream counts
        while True:
            now = lane.now
            for way in (up, down):
                error = way.move(now)
                session.received, self.received = up.moved, down.moved
                if down.moved and self.attempt.head_read < 0:
                    self._first_byte(now)
                if error is not None:
                    session.action = b"proxying and reading from " + (b"client" if way is up else b"upstream")
                    session.log("info" if way is up else "error", b"recv() failed", error)
                if way.target.error:
                    session.action = b"proxying and sending to " + (b"upstream" if way is up else b"client")
                    session.log("error" if way is up else "info", b"send() failed", OSError(way.target.error, ""))
                    return SUCCESS
            session.action = b"proxying connection"
            if self._is_over(up, down):
                who = b"client" if up.ended and not down.ended else b"upstream"
                session.log("info", who + b" disconnected" + self._counts(), alone=True)
                return SUCCESS
            for way in (up, down):
                if conf.half_close and way.drained and not way.half_closed:
                    way.half_closed = True
                    way.target.shutdown_write()
            delays = [way.delayed_until for way in (up, down) if way.delayed_until]
            if await park(min(delays) if delays else now + conf.timeout) or delays:
                continue
            session.log("info", b"connection timed out", _TIMED_OUT)
            return SUCCESS

    def _first_byte(self, now: float) -> None:
        assert self.attempt is not None and self.choice is not None
        self.attempt.head_read = now
        if self.choice.notify and not self.choice.at_connect:
            self.choice.head_came(self.attempt)

    def _is_over(self, up: Way, down: Way) -> bool:
        if self.conf.half_close:
            return up.drained and down.drained
        # what one side has sent before its end still goes to the other one
        return up.drained or down.drained
