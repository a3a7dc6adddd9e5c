"""post_action: a request goes on, unseen by its client, when its response is through or was cut.

nginx keeps the client's connection waiting meanwhile; here the connection goes on at once, and the request has an
output of its own that everything disappears in. It is logged when it ends, as in nginx, and the worker's end waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.module import Count, Status
from gateway.http.output import CLIENT_THERE, Output
from gateway.http.redirects import internal_redirect, named_location

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.core.pieces import Piece
    from gateway.http.client import Client
    from gateway.http.request import Request


class PostAction(Output):
    """The output of a request whose client has got all that it gets."""

    unseen = True
    waits_since = -1.0  # among the worker's connections: never for nothing

    def __init__(self, request: Request) -> None:
        client: Client = request.connection
        client.local_address()  # as long as there is a socket to ask
        self.client = client
        self.stream: Stream = client.stream
        self.request = request
        self.taken = request.output.sent()
        self.ended = False
        client.worker.connections.add(self)
        client.lane.call_later(0, self.run)

    def run(self) -> None:
        """Go to the URI of post_action; one of that location's own comes after it, while URIs may change."""
        request = self.request
        target = request.location.core.post_action
        assert target is not None
        request.aborted = False
        request.finished = False
        if target.startswith(b"/"):
            request.drive(internal_redirect(request, target))
        else:
            request.drive(named_location(request, target))

    def reuse(self) -> None:
        """Never asked."""

    def get_connection(self) -> Client:
        return self.client

    def send_head(self, request: Request) -> None:
        pass

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        pass

    def sent(self) -> Count:
        return self.taken

    def pending(self) -> Count:
        return 0

    def client_state(self) -> Status:
        return CLIENT_THERE

    def body_done(self) -> bool:
        return True

    def discard_body(self, request: Request) -> Status:
        return 0

    def receive_body(self, request: Request) -> bytes | None:
        return b""

    def finish(self, request: Request) -> None:
        if request.location.core.post_action is not None and request.uri_changes > 0:
            self.client.lane.call_later(0, self.run)
        else:
            self.terminate(request)

    def terminate(self, request: Request) -> None:
        if not self.ended:
            self.ended = True
            self.client.worker.connections.discard(self)
            self.client.log_end(request)

    def close(self, reset: bool = False) -> None:
        """There is nothing to close; the request ends by itself."""

    def retire(self) -> None:
        """The worker ends, and waits for the request."""

    def abort(self) -> None:
        self.request.aborted = True
        self.request.client_event()
        self.terminate(self.request)
