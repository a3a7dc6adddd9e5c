"""One try at one peer: a connection, the request on it, and the head of the answer."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway.core.lane import park
from gateway.core.transport import connect
from gateway.http.body import BodyError, read_body_part
from gateway.upstream.attempt import Attempt, Stage, error_words
from gateway.upstream.conditions import Condition
from gateway.upstream.keepalive import Connection
from gateway.upstream.response import UpstreamHead

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.conf import UpstreamConf
    from gateway.upstream.exchange import Codec
    from gateway.upstream.peers import Choice, Peer
    from gateway.upstream.upstreams import Upstream

# connect() errors that are the network's daily life; others mean a wrong configuration. EAGAIN: a unix socket's
# backlog is full.
_ORDINARY: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EAGAIN,
        errno.ECONNRESET,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        errno.EPIPE,
        errno.ENOTCONN,
    }
)
_BIND_ERRORS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EACCES, errno.EPERM})


class ClientGone(Exception):
    """The client closed its connection while we worked for it."""


class Asking:
    """What an exchange holds, and how it asks one peer."""

    def __init__(self, request: Request, conf: UpstreamConf, codec: Codec, upstream: Upstream) -> None:
        self.request = request
        self.conf = conf
        self.codec = codec
        self.upstream = upstream
        self.lane = request.connection.lane
        self.attempts: list[Attempt] = []
        earlier: Asking | None = request.upstream
        if earlier is not None and earlier.attempts:
            self.attempts = [*earlier.attempts, Attempt(None, self.lane.now)]
        request.upstream = self
        self.target: bytes | None = None  # of the present or last try, for the error log
        self.choice: Choice | None = None
        self.peer: Peer | None = None
        self.connection: Connection | None = None
        self.attempt = Attempt(None, 0.0)
        self.packet = b""
        self.head: UpstreamHead | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self.reader: Reader | None = None
        self.streaming = False
        self.pass_body: bool = conf.pass_request_body  # False too when the codec puts a body of its own
        self.body: list[Piece] | None = None  # what the codec sends of a body that was read; None: the body as it is
        self.frame: Callable[[bytes], bytes] | None = None  # the codec's framing of a body sent as it comes
        self.sent = False  # something of the request went to the present peer
        self.body_sent = False  # all of the request was given to the present connection
        self.began = self.lane.now
        self.wake: Any = None

    def log_target(self) -> bytes | None:
        """The `upstream: "…"` of the error log."""
        return self.target

    def log(self, level: str, message: bytes, stage: Stage | None = None) -> None:
        """A line with nginx's "while …" behind it."""
        self.request.log(level, message + b" while " + (stage or self.attempt.stage).value)

    def check_client(self) -> None:
        """Errors: ClientGone, if the client is gone and that matters."""
        request = self.request
        stream = request.connection.stream
        if request.aborted or stream.closed:
            request.aborted = True
            raise ClientGone
        if self.streaming and not self.body_sent:
            return  # the end of its input is met when the body is read
        if (stream.peer_closed or stream.error) and not self.conf.ignore_client_abort:
            raise ClientGone

    # -- one try -------------------------------------------------------------------------------------------------

    async def _try(self) -> Condition | None:
        """Ask one peer; None when its answer is to be used, with `head` and `reader` set."""
        lane = self.lane
        attempts = self.attempts
        if attempts and self.attempt is attempts[-1] and self.attempt.ended < 0:
            self.attempt.ended = lane.now
        peer = self.peer = self._pick()
        if peer is None and self.upstream.queue is not None:
            peer = self.peer = await self.upstream.queue.wait(self)
        if peer is None:
            attempt = self.attempt = Attempt(self.upstream.name, lane.now)
            attempts.append(attempt)
            self.target = self.codec.schema + self.upstream.name
            self.log("error", b"no live upstreams")
            return Condition.NO_LIVE
        attempt = self.attempt = Attempt(peer.name, lane.now)
        attempts.append(attempt)
        self.target = self.codec.schema + peer.name + (b":" if peer.address.is_unix else b"")
        connection = self._reuse(peer) or await self._connect(peer)
        if isinstance(connection, Condition):
            return connection
        connection.requests += 1
        if attempt.connected < 0:
            attempt.connected = lane.now
        stream = connection.stream
        attempt.stage = Stage.SENDING
        self.sent = True
        self.body_sent = False
        self.head = None
        stream.write(self.packet)
        if not self.streaming:
            body = self.request.body
            if self.body is not None:
                for piece in self.body:
                    stream.write(piece)
            elif body is not None and self.pass_body:
                for piece in body.pieces():
                    stream.write(piece)
            self.body_sent = True
            stream.flush()
        return await self._receive_head(connection)

    def _pick(self) -> Peer | None:
        choice = self.choice
        assert choice is not None
        sticky = self.upstream.sticky
        now = int(self.lane.now)
        return choice.get(now) if sticky is None else sticky.get(self, choice, now)

    def pick_anew(self) -> Peer | None:
        """A pick from all peers, for a request that waited in the queue."""
        tries = self.choice.tries if self.choice is not None else 0
        self.choice = self.upstream.choose(self.request)
        self.choice.tries = min(self.choice.tries, tries) or 1
        return self._pick()

    def _reuse(self, peer: Peer) -> Connection | None:
        keepalive = self.upstream.keepalive
        if keepalive is None:
            return None
        connection = keepalive.take(peer.address, self.conf)
        if connection is not None:
            connection.stream.handler = self.wake
            self.connection = connection
            self.attempt.cached = True
        return connection

    async def _connect(self, peer: Peer) -> Connection | Condition:
        """A new connection. With `connect` refused, timed out or not even begun: the condition."""
        conf = self.conf
        lane = self.lane
        local = conf.local(self.request) if conf.local is not None else None
        try:
            stream = connect(
                lane,
                peer.address.sockaddr,
                bind=None if local is None else local.sockaddr,
                keepalive=conf.socket_keepalive,
                transparent=conf.transparent,
            )
        except OSError as error:
            self.attempt.error = error
            if local is not None and error.errno in _BIND_ERRORS:
                self.log("crit", b"bind(%b) failed (%b)" % (local.name, error_words(error)))
            else:
                level = "error" if error.errno in _ORDINARY else "crit"
                self.log(level, b"connect() to %b failed (%b)" % (peer.name, error_words(error)))
            return Condition.ERROR
        connection = self.connection = Connection(stream, peer.address, lane.now)
        if conf.has_socket_options:
            if conf.socket_rcvbuf:
                stream.set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, conf.socket_rcvbuf)
            if conf.socket_sndbuf:
                stream.set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, conf.socket_sndbuf)
        stream.handler = self.wake
        if stream.connecting:
            deadline = lane.now + conf.connect_timeout
            while stream.connecting:
                self.check_client()
                if not await park(deadline) and stream.connecting:
                    return self._timed_out()
        self.attempt.connected = lane.now
        if stream.error:
            failed = self.attempt.error = OSError(stream.error, "")
            level = "error" if failed.errno in _ORDINARY else "alert"
            self.log(level, b"connect() failed (%b)" % error_words(failed))
            return Condition.ERROR
        return connection

    def _timed_out(self) -> Condition:
        self.attempt.error = OSError(errno.ETIMEDOUT, "")
        return Condition.TIMEOUT

    async def _receive_head(self, connection: Connection) -> Condition | None:
        """Send what is left of the request, and read until the answer's head is whole."""
        lane = self.lane
        conf = self.conf
        attempt = self.attempt
        stream = connection.stream
        reader = self.reader = self.codec.reader(self)  # type: ignore[arg-type]  # an Asking is an Exchange
        now = lane.now
        sent = stream.sent
        client_deadline = 0.0
        sending = True
        deadline = 0.0
        most = 65536 if conf.limit_rate is None else conf.buffer_size
        while True:
            if self.streaming and not self.body_sent:
                self.pass_on_body()
                if self.body_sent or stream.pending:
                    client_deadline = 0.0
                else:
                    client_deadline = lane.now + self.request.location.core.client_body_timeout
            if sending:
                if not stream.pending and self.body_sent:
                    sending = False
                    attempt.stage = Stage.READING_HEAD
                    deadline = lane.now + conf.read_timeout
                elif not stream.pending:
                    deadline = 0.0  # the client is who we wait for
                elif not deadline or stream.sent != sent:
                    sent = stream.sent
                    deadline = lane.now + conf.send_timeout
            while stream.readable:
                # Also while we send: an upstream may answer, and then reset, without reading all of a body.
                try:
                    data = stream.recv(most)
                except OSError as error:
                    attempt.error = error
                    attempt.stage = Stage.READING_HEAD
                    self.log("error", b"recv() failed (%b)" % error_words(error))
                    return Condition.ERROR
                if data is None:
                    break
                attempt.stage = Stage.READING_HEAD
                if not data:
                    self.log("error", b"upstream prematurely closed connection")
                    return Condition.ERROR
                attempt.received += len(data)
                failure = self._parse(reader, data)
                if self.head is not None or failure is not None:
                    return failure
            if stream.error or stream.closed:
                failed = attempt.error = OSError(stream.error or errno.EPIPE, "")
                self.log("error", b"writev() failed (%b)" % error_words(failed), Stage.SENDING)
                return Condition.ERROR
            self.check_client()
            until = min(deadline, client_deadline) if deadline and client_deadline else deadline or client_deadline
            if await park(until):
                continue
            now = lane.now
            if client_deadline and now >= client_deadline:
                raise BodyError(408, b"client timed out (%b)" % error_words(OSError(errno.ETIMEDOUT, "")))
            if deadline and now >= deadline:
                return self._timed_out()

    def _parse(self, reader: Reader, data: bytes) -> Condition | None:
        """Give received bytes to the reader; `head` is set when the head is whole."""
        attempt = self.attempt
        try:
            head = reader.receive_head(data)
            if (head is None or head.version != 9) and (
                reader.head_received > self.conf.buffer_size
                or (head is None and reader.head_received == self.conf.buffer_size)
            ):
                self.log("error", b"upstream sent too big header")
                return Condition.INVALID_HEADER
            if head is None:
                return None
            self.head = UpstreamHead(head, self.request)
        except HeadError as error:
            if error.message:  # the reader may have said why before
                self.log("error", error.message.encode("utf-8", "surrogateescape"))
            return Condition.INVALID_HEADER
        attempt.head_read = self.lane.now
        attempt.status = head.status
        if head.version == 9:
            # What came is the body, and so it is to the client, as in HTTP/0.9: no head at all.
            self.log("error", b"upstream sent no valid HTTP/1.0 header")
            attempt.status = 200
            self.request.http_version = 9
        return None

    def pass_on_body(self) -> None:
        """Send on what has come of the client's body, no more than the upstream takes. Errors: BodyError."""
        if self.body_sent:
            return
        request = self.request
        connection = self.connection
        assert connection is not None and request.body is not None
        stream = connection.stream
        frame = self.frame
        room = request.location.core.client_body_buffer_size
        body = request.body
        while True:
            parts = body.give()
            for data in parts:
                stream.write(data if frame is None else frame(data))
            if body.complete:
                self.body_sent = True
                if frame is not None:
                    stream.write(frame(b""))
            if stream.flush() >= room or self.body_sent:
                return
            read_body_part(request, 1)
            if not body.memory and not body.complete:
                return
