"""A client's HTTP/1 connection: reads heads, gives them to requests, sends what they answer, and goes on or ends."""

from __future__ import annotations

from errno import EPROTO
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.cut import rest
from gateway._fast.errors import HeadError
from gateway._fast.http1 import parse_head
from gateway._fast.request_head import RequestHead
from gateway._fast.stream import Stream, accepted
from gateway.core.transport import has_input
from gateway.http.body import BodyDecoder
from gateway.http.client import READING_HEADERS
from gateway.http.h1_framing import Http1Framing
from gateway.http.h1_head import decide_framing, render_head
from gateway.http.handshake import Handshake, read_failed
from gateway.http.lingering import Lingering
from gateway.http.listening import HttpListening
from gateway.http.module import Count, Status
from gateway.http.output import CLIENT_CLOSED_ITS_SIDE, CLIENT_THERE, CONNECTION_CLOSED, CONNECTION_FAILED, GIVEN_UP
from gateway.http.prologue import become_http2, read_proxy_header
from gateway.http.request import Request, new_request
from gateway.http.status import CLIENT_CLOSED
from gateway.protocol.http2_frames import PREFACE

if TYPE_CHECKING:
    from gateway.http.servers import AddressServers, Server
    from gateway.http.settings import EngineSettings
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker


# What a connection is doing.
READING: Final = 0  # a request's head, or waiting for the next request
BUSY: Final = 1  # a request is being served
SENDING: Final = 2  # the request is complete, its output is not yet with the kernel
DISCARDING: Final = 3  # the response is out; the rest of the request's body is read and dropped
LINGERING: Final = 4  # our side is shut: Lingering has the stream
CLOSED: Final = 5
HANDSHAKING: Final = 6  # TLS, before the first request

# Received at once where a head is expected: what a body begins with is cut off it, a copy that shall be short.
HEAD_READ: Final = 4096
# What a request takes of its connection's share of a turn, where several came in one segment.
REQUEST_COST: Final = 4096


def accept(cycle: object, worker: Worker, fd: int, peer: bytes, listening: Listening) -> None:
    """HttpCycle's."""
    connection: Connection = Connection.__new__(Connection)
    connection.open(worker, accepted(worker.lane, fd), peer, listening)  # type: ignore[arg-type]


def begin(connection: Connection) -> None:
    """Serve it: it was passed on."""
    try:
        connection.begin()
    except Exception as error:
        # of who has the stream by now: HTTP/2 may
        owner = connection.stream.on_crash or connection
        owner.crashed(error)


class Connection(Http1Framing):
    """One accepted connection, and the output of its requests."""

    def __init__(self, worker: Worker, stream: Stream, peer: bytes, listening: HttpListening) -> None:
        self.open(worker, stream, peer, listening)

    def open(self, worker: Worker, stream: Stream, peer: bytes, listening: HttpListening) -> None:
        """What __init__ does, as a call of C's."""
        self.begin_client(worker, stream, peer, listening, worker.next_connection())
        self.begin_framing()
        self.state: int = READING
        self.in_loop = False
        self.reading = False  # part of a head is here: stub_status counts it
        self.pipelined = False  # the next request was here before the last one ended
        self.discard_until = 0.0
        self.nodelay = False  # TCP_NODELAY is set, or will be
        self.given_up = False  # the client is taken for gone, and that was logged
        if listening.servers_for(self).ssl:
            self.handshake = Handshake(self)
            self.state = HANDSHAKING
        # itself, and no methods bound to it: these are 64 bytes each for every connection, and a call of Python's
        stream.handler = stream.on_crash = self
        stream.set_deadline(self.started + self.server.header_timeout)
        worker.connections.add(self)

    # -- events --------------------------------------------------------------------------------------------------

    def happened(self) -> None:
        """The lane's call: something was received, sent, or the peer is gone."""
        state = self.state
        if state == READING:
            self.read_head()
        elif state == BUSY:
            request = self.request
            if request is not None:
                request.client_event()
        elif state == SENDING:
            self._go_on_sending()
        elif state == DISCARDING:
            self._go_on_discarding()
        elif state == HANDSHAKING:
            self.begin()

    def begin(self) -> None:
        """The connection was passed on: take what is there already. With TLS, called until its handshake is over."""
        handshake = self.handshake
        if handshake is not None:
            if not handshake.go_on():
                return
            self.state = READING
            http2 = handshake.speaks_http2()
            handshake.let_go()
            if http2:
                become_http2(self)
                return
        self.read_head()

    def late(self) -> None:
        """The sweep's call: the deadline of the present state has passed."""
        request = self.request
        if self.state == HANDSHAKING and self.handshake is not None:
            self.handshake.timed_out()
            self.close()
        elif self.state == READING:
            if self.buffer:
                failed = self._unfinished()
                failed.log("info", b"client timed out (110: Connection timed out)")
                failed.finalize(408)
            else:
                self.close(reset=False)
        elif self.state == SENDING and request is not None:
            request.log("info", b"client timed out (110: Connection timed out)")
            request.finalize(408)
        elif self.state == DISCARDING and request is not None:
            self._end_request(request, keep=False)
        else:
            self.close()

    # -- reading heads -------------------------------------------------------------------------------------------

    def read_head(self) -> None:
        """Read and serve as long as there is something; the only loop of the connection, never entered twice."""
        if self.in_loop:
            return
        self.in_loop = True
        try:
            stream = self.stream
            while self.state == READING:
                if self.buffer and self._serve_next():
                    if self.buffer and stream.spend(REQUEST_COST):
                        return
                    continue
                if not stream.readable:
                    return
                try:
                    data = stream.recv(HEAD_READ)
                except OSError as error:
                    self._lost(error)
                    return
                if data is None:
                    return
                if not data:
                    self._lost(None)
                    return
                if self.buffer:
                    self.buffer += data
                else:
                    self.buffer = data
                    if self.requests:
                        stream.set_deadline(self.lane.fresh() + self.server.header_timeout)
        finally:
            self.in_loop = False

    def _lost(self, error: OSError | None) -> None:
        """The client closed or reset while we waited for a request."""
        if self.buffer:
            failed = self._unfinished()
            failed.log("info", b"client prematurely closed connection", error)
            failed.aborted = True  # nobody waits for an answer
            failed.finalize(400 if error is None else 499)
            return
        if error is not None and error.errno == EPROTO:
            read_failed(self)
        self.close()

    def _serve_next(self) -> bool:
        """Serve the request whose head is in the buffer; False if more is needed."""
        buffer = self.buffer
        listening = self.listening
        if listening.proxy_protocol and self.proxy is None:
            return read_proxy_header(self)
        servers = listening.servers_for(self)
        default = servers.default
        if not self.requests and self.handshake is None and (default.http2 or servers.http2):
            if buffer[:24] == PREFACE:
                become_http2(self)
                return True
            if PREFACE.startswith(buffer):
                return False
        try:
            head = parse_head(buffer, 0, default.limits, None if servers.single else servers.limits_of)
        except HeadError as error:
            head = error.head
            request = self._failed_request(head, (head is not None and head.server) or default)
            self.buffer = b""
            request.log(error.level, str(error))
            request.lingering_close = error.lingering
            request.drive(error.status)
            return True
        if head is None:
            if buffer[:1] in b"\r\n":
                self.buffer = buffer = buffer.lstrip(b"\r\n")  # empty lines before a request count for nothing
                if not buffer:
                    return False
            if not self.reading:
                self.reading = True
                self.worker.head_begins()
            return False
        size = head.pos
        self.buffer = rest(buffer, size) if len(buffer) > size else b""
        self._begin(head, servers)
        return True

    def _make_request(self, head: RequestHead, server: Server) -> Request:
        self.requests += 1
        self.server = server
        request = new_request(self, head, server, self.listening.cycle)
        request.started = self.lane.fresh()
        request.sent_before = self.stream.sent
        self.request = request
        self.state = BUSY
        self.stream.set_deadline(0.0)
        if self.reading:
            self.reading = False
            self.worker.head_ends()
        self.worker.request_begins()
        return request

    def _begin(self, head: RequestHead, servers: AddressServers) -> None:
        """Make the request of a complete head and run it."""
        server: Any = head.server or servers.default
        request = self._make_request(head, server)
        request.pipelined = self.pipelined
        self.head_read(request, head, servers)
        if head.notes is not None:
            self.fields_ignored(request, head.notes)
        request.keepalive = head.keep_alive
        if head.content_length > 0 or head.chunked:
            request.lingering_close = True
            self.decoder = BodyDecoder(head)
        if self.handshake is not None and not self.may_ask(request):
            return
        request.start()

    def _unfinished(self) -> Request:
        """The one of which a part is in the buffer, and which says so in the log."""
        request = self._failed_request(None, self.server)
        line_complete = b"\n" in self.buffer.lstrip(b"\r\n")
        request.action = READING_HEADERS if line_complete else b" while reading client request line"
        return request

    def _failed_request(self, head: Any, server: Server) -> Request:
        """A request that never became one, for its error page and its line in the log."""
        request = self._make_request(head if head is not None else RequestHead(), server)
        self.head_refused(request)
        return request

    def check_keepalive(self, request: Request, core: EngineSettings) -> None:
        if (
            not core.keepalive_timeout
            or self.requests >= core.keepalive_requests
            or self.lane.fresh() - self.started > core.keepalive_time
            or (core.keepalive_disable and core.keepalive_disabled_for(request.method, request.head))
        ):
            request.keepalive = False

    # -- Output --------------------------------------------------------------------------------------------------

    def send_head(self, request: Request) -> None:
        if request.keepalive and self.worker.exiting:
            request.keepalive = False
        decide_framing(request)
        if request.http_version < 10:
            request.keepalive = False
            return
        data = render_head(request, self.lane.date_text())
        request.head_size = len(data)
        stream = self.stream
        core = request.location.core
        if core.tcp_nodelay and not self.nodelay:
            self.nodelay = True
            stream.nodelay_later()
        stream.chunk = core.sendfile_max_chunk
        stream.write(data)
        self._limit_rate(request)

    def take_input(self) -> bytes:
        data, self.buffer = self.buffer, b""
        return data

    def leave(self) -> None:
        """Another protocol goes on with the stream."""
        self.state = CLOSED
        self.worker.connections.discard(self)
        if self.reading:
            self.reading = False
            self.worker.head_ends()

    def client_state(self) -> Status:
        stream = self.stream
        if stream.fd < 0:
            return CONNECTION_CLOSED
        if stream.error:
            return GIVEN_UP if self.given_up else CONNECTION_FAILED
        return CLIENT_CLOSED_ITS_SIDE if stream.peer_closed else CLIENT_THERE

    def deserted(self, request: Request) -> bool:
        # ngx_http_test_reading; who sends a body that nobody wants is not looked at
        stream = self.stream
        return stream.peer_closed and not stream.writable and (self.decoder is None or not request.discarding)

    def give_up(self) -> None:
        self.given_up = True
        self.stream.give_up()

    def sent(self) -> Count:
        return self.stream.sent

    def pending(self) -> Count:
        return self.stream.pending

    def finish(self, request: Request) -> None:
        stream = self.stream
        if not request.head_sent:
            self.terminate(request)
            return
        if not request.keepalive:
            stream.ending = True
        if stream.flush():
            self.state = SENDING
            stream.set_deadline(self.lane.fresh() + request.location.core.send_timeout)
            return
        if stream.error:
            self._sending_failed(request)
        else:
            self._complete(request)

    def _go_on_sending(self) -> None:
        request = self.request
        assert request is not None
        stream = self.stream
        if stream.error:
            self._sending_failed(request)
        elif not stream.pending:
            self._complete(request)
        elif self.deserted(request):
            request.log("info", b"client prematurely closed connection")
            request.finalize(CLIENT_CLOSED)
        else:
            stream.set_deadline(self.lane.fresh() + request.location.core.send_timeout)

    def _sending_failed(self, request: Request) -> None:
        if not self.given_up:
            error = OSError(self.stream.error, "")
            request.log("info", b"writev() failed while sending response to client", error)
        request.keepalive = False
        self.terminate(request)

    def terminate(self, request: Request) -> None:
        if self.request is not request:
            return  # what a subrequest ended, its own handler ends once more
        request.keepalive = False
        if self.state != DISCARDING:  # there it has ended, but for what is dropped
            self.request_ends(request)
        self.request = None
        self.close(reset=request.timed_out or request.log_status == 444)

    # -- the end of a request ------------------------------------------------------------------------------------

    def _complete(self, request: Request) -> None:
        """The whole response is with the kernel."""
        request.complete = True
        decoder = self.decoder
        if decoder is not None and not decoder.done:
            if request.discarding or request.body is None:
                self.request_ends(request)
                self.state = DISCARDING
                core = request.location.core
                self.discard_until = self.lane.fresh() + core.lingering_time
                self.stream.set_deadline(self.lane.fresh() + core.lingering_timeout)
                self._go_on_discarding()
                return
            request.keepalive = False
        else:
            request.lingering_close = False
        self.request_ends(request)
        self._end_request(request, keep=request.keepalive)

    def _end_request(self, request: Request, keep: bool) -> None:
        self.request = None
        self.decoder = None
        stream = self.stream
        core = request.location.core
        if keep and not self.worker.exiting:
            self.state = READING
            self.pipelined = bool(self.buffer)
            stream.set_deadline(self.lane.fresh() + core.keepalive_timeout)
            if not self.in_loop and (self.buffer or stream.readable):
                self.read_head()
            elif self.worker.exiting:
                self.close()
            return
        if core.lingering_close == 2 or (
            core.lingering_close == 1 and (request.lingering_close or self.buffer or stream.readable or stream.spent)
        ):
            self.buffer = b""
            self.state = LINGERING
            Lingering(self, core)
            return
        self.close()

    def _go_on_discarding(self) -> None:
        request = self.request
        assert request is not None and self.decoder is not None
        self.discard_body(request)
        if self.decoder.done:
            request.lingering_close = False
            self._end_request(request, keep=request.keepalive)
        elif self.lane.fresh() > self.discard_until:
            self._end_request(request, keep=False)
        else:
            late = self.lane.fresh() + request.location.core.lingering_timeout
            self.stream.set_deadline(min(late, self.discard_until))

    def close(self, reset: bool = False) -> None:
        if self.state == CLOSED:
            return
        core = self.server.root.core
        if self.state == HANDSHAKING and self.handshake is not None:
            self.handshake.let_go()
        self.state = CLOSED
        self.stream.close(reset=reset and core.reset_timedout_connection)
        if self.reading:
            self.worker.head_ends()
        self.worker.connection_closed(self)

    @property
    def idle(self) -> bool:
        return self.state == READING and not self.buffer

    @property
    def waits_since(self) -> float:
        core = self.server.root.core
        if self.idle or (self.state == HANDSHAKING and not self.stream.received):
            return self.stream.deadline - core.keepalive_timeout if self.requests else self.started
        return self.stream.deadline - core.lingering_timeout if self.state == LINGERING else -1.0

    @property
    def closed(self) -> bool:
        return self.state == CLOSED

    # -- the end of the worker -----------------------------------------------------------------------------------

    def retire(self) -> None:
        """The worker ends: an idle connection closes, the others do with their request."""
        # One that has had no request yet is owed an answer: its client could not know.
        if not self.idle or not self.requests:
            return
        # A request may have come that nobody has read yet: to close now would reset it. Its event is on the way.
        if has_input(self.stream.fd):
            return
        core = self.server.root.core
        if core.keepalive_min_timeout:
            stream = self.stream
            since = stream.deadline - core.keepalive_timeout
            if since + core.keepalive_min_timeout > self.lane.now:
                stream.deadline = min(stream.deadline, since + core.keepalive_min_timeout)
                return
        self.close()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        request = self.request
        if request is None:
            self.close()
            return
        request.aborted = True
        try:
            request.client_event()
        finally:
            if self.request is request:
                self.terminate(request)
