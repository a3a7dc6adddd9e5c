"""One request to an upstream: try after try until one answers; the same loop for every protocol (see Codec).

Runs as a fibre of the lane. One fibre serves both sides: it is woken by any event of the upstream's stream or the
client's, looks at what can be done, does it, and parks again with the deadline that comes first.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway._fast.errors import HeadError
from gateway._fast.uri import safe_uri
from gateway.core.lane import current_fibre, park
from gateway.core.transport import connect
from gateway.http.body import BodyError, read_body, read_body_nowait, send_continue
from gateway.http.module import DONE, OK, Result
from gateway.upstream import pipe, tunnel
from gateway.upstream.attempt import Attempt, Stage, error_words
from gateway.upstream.conditions import BY_STATUS, NON_IDEMPOTENT_METHODS, Condition, outcome_of, status_of
from gateway.upstream.keepalive import Connection
from gateway.upstream.peers import Outcome
from gateway.upstream.response import Ignore, UpstreamHead

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.conf import UpstreamConf
    from gateway.upstream.peers import Choice, Peer
    from gateway.upstream.upstreams import Upstream

CLIENT_CLOSED: Final = 499
_SPECIAL: Final = 300  # from here on a status may have an error page

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


class RequestRefused(Exception):
    """The request cannot be put into the protocol: the status to answer, and the log's words."""

    def __init__(self, status: int, message: bytes, level: str = "error") -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.level = level


class Codec(Protocol):
    """A protocol towards upstreams; one object for a location."""

    schema: bytes  # for the error log: b"uwsgi://"

    def encode(self, exchange: Exchange) -> bytes:
        """What is sent before the request's body. Errors: RequestRefused."""

    def reader(self, exchange: Exchange) -> Reader:
        """What reads the answer of one try."""

    def streams_body(self, request: Request) -> bool:
        """Whether the request's body may be sent on as it comes (`*_request_buffering off`)."""


class ClientGone(Exception):
    """The client closed its connection while we worked for it."""


class Exchange:
    """The work for one request, and what is known of it afterwards. `request.upstream` is the latest one."""

    def __init__(self, request: Request, conf: UpstreamConf, codec: Codec, upstream: Upstream) -> None:
        self.request = request
        self.conf = conf
        self.codec = codec
        self.upstream = upstream
        self.lane = request.connection.lane
        self.attempts: list[Attempt] = []
        earlier: Exchange | None = request.upstream
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

    # -- the whole -----------------------------------------------------------------------------------------------

    async def run(self) -> Result:
        """The content handler. Cancelled: the connection is closed, the peer given back, nothing else is left."""
        request = self.request
        conf = self.conf
        head = request.head
        if head.content_length > 0 or head.chunked:
            status = await self._take_request_body()
            if status is not None:
                return status
        try:
            self.packet = self.codec.encode(self)
        except RequestRefused as refused:
            request.log(refused.level, refused.message)
            return refused.status
        fibre = current_fibre()
        assert fibre is not None
        self.wake = request.on_client_event = fibre.wake
        self.choice = self.upstream.choose(request)
        if conf.next_upstream_tries and self.choice.tries > conf.next_upstream_tries:
            self.choice.tries = conf.next_upstream_tries
        self.began = self.lane.now
        try:
            while True:
                failure = await self._try()
                if failure is None:
                    return await self._answer()
                status = self._next(failure)
                if status is not None:
                    return status
        except ClientGone:
            return self._client_gone()
        except BodyError as error:
            request.keepalive = False
            self.log("info", error.message)
            return error.status
        finally:
            if request.on_client_event is self.wake:
                request.on_client_event = None
            self.release()
            # What stays are the records: no cycle is left for the garbage collector.
            self.wake = self.choice = self.reader = self.frame = None
            self.request = None  # type: ignore[assignment]

    async def _take_request_body(self) -> int | None:
        """Read the client's body before anything else, or prepare to pass it on as it comes."""
        request = self.request
        if not self.conf.pass_request_body or request.discarding:
            if request.body is None:
                request.discard_body()
            return None
        if not self.conf.request_buffering and self.codec.streams_body(request) and request.body is None:
            if request.main is request:
                self.streaming = True
                send_continue(request)
            return None
        try:
            if read_body_nowait(request):
                return None
        except (BodyError, OSError):
            pass  # read_body meets it again and says what it means
        return await read_body(request)

    def release(self) -> None:
        """End of the exchange, however it came: the try is closed in the records, the connection kept or closed."""
        attempt = self.attempt
        if attempt.ended < 0:
            attempt.ended = self.lane.now
        connection = self.connection
        if connection is not None:
            attempt.sent = connection.sent
        self._free(Outcome.OK)
        if connection is not None:
            self.connection = None
            reader = self.reader
            keepalive = self.upstream.keepalive
            if (
                keepalive is None
                or reader is None
                or not (reader.done and reader.keepalive and self.body_sent)
                or self.request.connection.worker.exiting
                or not keepalive.give(connection, self.conf, self.lane.now)
            ):
                connection.stream.close()

    def _free(self, outcome: Outcome) -> None:
        if self.peer is not None:
            assert self.choice is not None
            self.peer = None
            if self.choice.free(outcome, int(self.lane.now), self.attempt):
                self.log("warn", b"upstream server temporarily disabled")

    def _client_gone(self) -> Result:
        request = self.request
        if not request.aborted:
            self.log(
                "info",
                b"epoll_wait() reported that client prematurely closed connection, "
                b"so upstream connection is closed too",
            )
            if not request.head_sent:
                return CLIENT_CLOSED
            request.log_status = request.log_status or request.response.status
            request.aborted = True
        return CLIENT_CLOSED

    def check_client(self) -> None:
        """Errors: ClientGone, if the client is gone and that matters."""
        request = self.request
        stream = request.connection.stream
        if request.aborted or stream.closed:
            request.aborted = True
            raise ClientGone
        if (stream.peer_closed or stream.error) and not self.conf.ignore_client_abort:
            raise ClientGone

    # -- one try -------------------------------------------------------------------------------------------------

    async def _try(self) -> Condition | None:
        """Ask one peer; None when its answer is to be used, with `head` and `reader` set."""
        lane = self.lane
        attempts = self.attempts
        if attempts and self.attempt is attempts[-1] and self.attempt.ended < 0:
            self.attempt.ended = lane.now
        assert self.choice is not None
        peer = self.peer = self.choice.get(int(lane.now))
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
            if body is not None and self.pass_body:
                for piece in body.pieces():
                    stream.write(piece)
            self.body_sent = True
            stream.flush()
        return await self._receive_head(connection)

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
        reader = self.reader = self.codec.reader(self)
        now = lane.now
        sent = stream.sent
        client_deadline = 0.0
        sending = True
        deadline = 0.0
        while True:
            if self.streaming and not self.body_sent:
                self._pass_body(stream)
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
                    data = stream.recv()
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
            if reader.head_received > self.conf.buffer_size or (
                head is None and reader.head_received == self.conf.buffer_size
            ):
                self.log("error", b"upstream sent too big header")
                return Condition.INVALID_HEADER
            if head is None:
                return None
            self.head = UpstreamHead(head, self.request)
        except HeadError as error:
            self.log("error", error.message.encode("utf-8", "surrogateescape"))
            return Condition.INVALID_HEADER
        attempt.head_read = self.lane.now
        attempt.status = head.status
        return None

    def _pass_body(self, stream: Any) -> None:
        """Send on what has come of the client's body, no more than the upstream takes."""
        request = self.request
        room = request.location.core.client_body_buffer_size
        while stream.pending < room:
            data = request.output.receive_body(request)
            if data is None:
                break
            if not data:
                self.body_sent = True
                if self.frame is not None:
                    stream.write(self.frame(b""))
                break
            stream.write(data if self.frame is None else self.frame(data))
        stream.flush()

    # -- between tries -------------------------------------------------------------------------------------------

    def _may_go_on(self, condition: Condition) -> bool:
        conf = self.conf
        if self.sent and self.request.method in NON_IDEMPOTENT_METHODS:
            condition |= Condition.NON_IDEMPOTENT
        return (
            conf.next_upstream & condition == condition
            and not (self.sent and self.streaming)
            and not (conf.next_upstream_timeout and self.lane.now - self.began >= conf.next_upstream_timeout)
        )

    def _next(self, condition: Condition) -> int | None:
        """Give the peer back after a failure; the status to end with, None to try another peer."""
        attempt = self.attempt
        connection = self.connection
        choice = self.choice
        assert choice is not None
        if connection is not None:
            attempt.sent = connection.sent
        self._free(outcome_of(condition))
        if condition == Condition.TIMEOUT:
            self.log("error", b"upstream timed out (%b)" % error_words(OSError(errno.ETIMEDOUT, "")))
        if attempt.cached and condition == Condition.ERROR:
            choice.tries += 1  # it had closed before our request came: no fault, not counted
        if connection is not None:
            self.connection = None
            connection.stream.close()
        status = attempt.status = status_of(condition)
        self.check_client_error()
        if not choice.tries or not self._may_go_on(condition):
            return status
        return None

    def check_client_error(self) -> None:
        if self.request.connection.stream.error or self.request.aborted:
            raise ClientGone

    # -- the answer ----------------------------------------------------------------------------------------------

    async def _answer(self) -> Result:
        """Use the head that came: another peer, an error page, a redirect, a tunnel, or the client's response."""
        request = self.request
        conf = self.conf
        head = self.head
        reader = self.reader
        assert head is not None and reader is not None and self.choice is not None
        while head.status >= _SPECIAL:
            condition = BY_STATUS.get(head.status)
            if condition is None or self.choice.tries <= 1 or not self._may_go_on(condition):
                if conf.intercept_errors and self._has_error_page(head):
                    return head.status
                break
            status = self._next(condition)
            while status is None:
                failure = await self._try()
                if failure is None:
                    break
                status = self._next(failure)
            if status is not None:
                return status
            head = self.head
            reader = self.reader
            assert head is not None and reader is not None
        if (head.status >= 400 or request.head.upgrade is not None) and request.cycle.diagnosis is not None:
            request.cycle.diagnosis.answered(self)
        ignored = conf.ignore_headers
        head.apply_controls(request, ignored)
        if head.redirect is not None and not ignored & Ignore.X_ACCEL_REDIRECT:
            return self._redirect(head)
        head.copy(request, conf)
        if head.status == 101 and request.head.upgrade is not None:
            if request.main is not request:
                self.request.log("error", b"connection upgrade in subrequest")
                return request.abort()
            return await tunnel.run(self)
        try:
            rest = reader.begin_body(
                request.method,
                head.status,
                head.content_length,
                chunked=head.chunked,
                close=head.connection_close,
            )
            broken = False
        except HeadError as error:
            self.log("error", error.message.encode(), Stage.READING_BODY)
            rest, broken = b"", True
        buffering = conf.buffering
        if conf.change_buffering and head.buffering and not ignored & Ignore.X_ACCEL_BUFFERING:
            buffering = {b"no": False, b"yes": True}.get(head.buffering, buffering)
        if not buffering:
            request.limit_rate = 0
        if request.send_head():
            return self.finish([])
        if broken:
            return self.cut()
        self.attempt.stage = Stage.READING_BODY
        self.attempt.body_received += len(rest)
        if reader.excess:
            self.warn_excess()
        if reader.done:
            return self.finish([rest] if rest else [])
        if buffering:
            if request.cycle.diagnosis is not None:
                request.cycle.diagnosis.buffers(self)
            return await pipe.run_buffered(self, rest)
        return await pipe.run_unbuffered(self, rest)

    def warn_excess(self) -> None:
        self.log("warn", b'upstream sent more data than specified in "Content-Length" header')

    def finish(self, pieces: list[Any]) -> Result:
        """The whole answer is here: let the upstream go, and leave the rest to the output."""
        self.attempt.ended = self.lane.now
        request = self.request
        self.trailers = getattr(self.reader, "trailers", self.trailers)
        if self.trailers and self.conf.pass_trailers:
            request.response.trailers = self.trailers
        request.send(pieces, True)
        return OK

    def cut(self) -> Result:
        """The answer broke off after its head: the client must see that it is not whole."""
        request = self.request
        request.keepalive = False
        request.send([], False, True)
        request.log_status = request.log_status or request.response.status
        return request.abort()

    def _has_error_page(self, head: UpstreamHead) -> bool:
        request = self.request
        if not any(page.status == head.status for page in request.location.core.error_pages or ()):
            return False
        if head.status == 401:
            request.response.fields += head.get_all(b"www-authenticate")
        return True

    def _redirect(self, head: UpstreamHead) -> Result:
        """X-Accel-Redirect: another location answers, with some of this answer's fields."""
        request = self.request
        target = head.redirect
        assert target is not None
        self.release()
        head.copy_for_redirect(request, self.conf)
        if target.startswith(b"@"):
            return request.named_location(target)
        parsed = safe_uri(target)
        if parsed is None:
            request.log("error", b'unsafe URI "%b" was detected' % target)
            return 404
        if request.method != b"HEAD":
            request.method = b"GET"
        return request.internal_redirect(*parsed)


__all__ = ["DONE", "ClientGone", "Codec", "Exchange", "RequestRefused"]
