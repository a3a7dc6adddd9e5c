"""A stream of a connection that carries many: one request, its body and its response (HTTP/2 and HTTP/3).

To its request it is the whole connection, with addresses of its own, as in nginx: a module that replaces the client's
address for one request does not touch the others'.
"""

from __future__ import annotations

from gateway._fast.errors import HeadError
from gateway._fast.request_head import RequestHead
from gateway.core.piece_queue import new_queue
from gateway.http.body import BodyError
from gateway.http.client import Client
from gateway.http.final_head import rate_limit
from gateway.http.h2_pace import Pace
from gateway.http.module import Count, Status
from gateway.http.output import CLIENT_THERE, CONNECTION_FAILED
from gateway.http.request import Request, new_request
from gateway.http.servers import Server


class RequestStream(Client):
    """What raises NotImplementedError here is abstract: each protocol's stream has its own."""

    def __init__(self, connection: Client, number: int) -> None:
        self.open(connection, number)

    def open(self, connection: Client, number: Count) -> None:
        """What __init__ does, as a call of C's."""
        # not Client's: nothing of it has to be found out again
        self.worker = connection.worker
        self.lane = connection.lane
        self.stream = connection.stream
        self.peer = connection.peer
        self.listening = connection.listening
        self.number = connection.number
        self.server = connection.server
        self.started = connection.started
        self.scheme = connection.scheme
        self.local = connection.local
        self.proxy = connection.proxy
        self.handshake = connection.handshake
        self.requests = connection.requests
        self.id = number
        self.request: Request | None = None
        self.lost = False  # reset by either side, or the connection is: nothing is sent any more
        # the response
        self.queue = new_queue()
        self.ending = False  # the queue has all of the response
        self.out_closed = False  # its last frame was written
        self.finishing = False  # the request waits for that frame to be sent
        self.sent_bytes = 0
        self.pace: Pace | None = None
        # the request's body
        self.in_closed = False  # all of it is here
        self.skip_data = False
        self.input: list[bytes] = []
        self.received = 0  # of the body, by whoever reads it

    def lose(self) -> None:
        """Nobody listens any more: who waits for the client learns it, a complete answer ends here."""
        raise NotImplementedError

    def _end(self, request: Request) -> None:
        """Log, clean up, and leave the connection."""
        raise NotImplementedError

    # -- the request ---------------------------------------------------------------------------------------------

    def _make_request(self, head: RequestHead, server: Server) -> Request:
        self.server = server
        request = self.request = new_request(self, head, server, self.listening.cycle)
        request.started = self.lane.fresh()
        self.worker.request_begins()
        return request

    def _refuse(self, head: RequestHead, server: Server, version: Count, error: HeadError) -> None:
        """Answer a head that is none."""
        request = self._make_request(head, head.server or server)
        self.head_refused(request)
        request.http_version = version
        request.log(error.level, str(error))
        self.skip_data = True
        request.drive(error.status)

    def _make_late(self, version: Count) -> Request:
        """The request of a head that did not come within client_header_timeout."""
        request = self._make_request(RequestHead(), self.server)
        self.head_refused(request)
        request.http_version = version
        return request

    def tell(self) -> None:
        """Something has changed, for whoever waits for it."""
        request = self.request
        if request is not None:
            request.client_event()

    def abort(self) -> None:
        """worker_shutdown_timeout is over, or the connection is gone."""
        request = self.request
        try:
            self.lose()
            if self.request is not None:
                self.request.aborted = True
                self.tell()
        finally:
            if request is not None and self.request is request:
                self._end(request)

    # -- Output: the response ------------------------------------------------------------------------------------

    def _set_pace(self, request: Request) -> None:
        """limit_rate."""
        if request.limit_rate is not None or request.location.core.limit_rate is not None:
            rate, free = rate_limit(request)
            if rate:
                self.pace = Pace(rate, free, request.started)

    def _has_trailers(self) -> bool:
        request = self.request
        return request is not None and bool(request.response.trailers)

    def client_state(self) -> Status:
        return CONNECTION_FAILED if self.lost else CLIENT_THERE

    def sent(self) -> Count:
        return self.sent_bytes

    def pending(self) -> Count:
        return self.queue.size

    # -- the request's body --------------------------------------------------------------------------------------

    def body_taken(self, size: Count) -> None:
        """Bytes of the body were read: the client may send as many more."""
        raise NotImplementedError

    def check_length(self, request: Request) -> None:
        """The body is complete; if it is not what was declared: BodyError."""
        raise NotImplementedError

    def receive_body(self, request: Request) -> bytes | None:
        if self.input:
            data = self.input[0] if len(self.input) == 1 else b"".join(self.input)
            self.input.clear()
            self.received += len(data)
            if 0 <= request.head.content_length < self.received:
                self.bad_body(b"client intended to send body data larger than declared")
            if self.in_closed:
                self.check_length(request)
            self.body_taken(len(data))
            return data
        if self.lost:
            raise BodyError(499, b"client prematurely closed stream")
        if self.in_closed:
            self.check_length(request)
            return b""
        return None

    def bad_body(self, message: bytes) -> None:
        self.skip_data = True
        raise BodyError(400, message)

    def body_done(self) -> bool:
        return self.in_closed and not self.input

    def body_received(self) -> Count:
        return self.received
