"""The interface between a request and the stream that it came on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.watcher import Watcher
from gateway.http.module import Count, Status

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.client import Client
    from gateway.http.request import Request
    from gateway.http.settings import EngineSettings

# What is known of the client, each worse than the one before.
CLIENT_THERE: Final = 0
CLIENT_CLOSED_ITS_SIDE: Final = 1  # it sends no more, and most that do so have gone away
CONNECTION_FAILED: Final = 2  # nothing reaches it any more
GIVEN_UP: Final = 3  # it was taken for gone, and the log says why
CONNECTION_CLOSED: Final = 4


class Output(Watcher):
    """The stream that a request came on: HTTP/1, HTTP/2, or a parent request.

    All verbs return at once; what does not fit is queued. What raises NotImplementedError here is abstract: each kind
    of stream has its own (abc's metaclass is not to be had for a class that is compiled with C methods). One with a
    socket is what the socket's events come to.
    """

    unseen = False  # by the client: its response is through, and a request goes on (post_action)

    def get_connection(self) -> Client:
        """The client's connection."""
        raise NotImplementedError

    def check_keepalive(self, request: Request, core: EngineSettings) -> None:
        """Take request.keepalive back if these settings do not let the connection live on."""

    def send_early_hints(self, request: Request, fields: list[tuple[bytes, bytes]]) -> None:
        """103, ahead of the response's head (RFC 8297)."""

    def send_head(self, request: Request) -> None:
        """Queue the response's head."""
        raise NotImplementedError

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        """Queue a part of the body; `flush`: it shall leave now."""
        raise NotImplementedError

    def sent(self) -> Count:
        """Bytes that the kernel has taken, of all requests of this stream."""
        raise NotImplementedError

    def pending(self) -> Count:
        """Bytes queued and not yet taken by the kernel."""
        raise NotImplementedError

    def finish(self, request: Request) -> None:
        """All is queued: flush it, then log, clean up, and go on with the connection."""
        raise NotImplementedError

    def terminate(self, request: Request) -> None:
        """End at once without completing the response: log, clean up, close."""
        raise NotImplementedError

    def client_state(self) -> Status:
        """Whether the client is still there: one of those above."""
        raise NotImplementedError

    def gone(self) -> bool:
        """Whether nothing reaches the client any more."""
        return self.client_state() >= CONNECTION_FAILED

    def deserted(self, request: Request) -> bool:
        """Whether the client has closed its side, and what is left when the handler is through is not sent."""
        return False

    def give_up(self) -> None:
        """Take the client for gone, which the caller has logged: what is sent from now on goes nowhere."""

    def send_continue(self) -> None:
        """100, for a client that waits for it before it sends its body; HTTP/1 alone."""

    def body_begins(self, whole: bool) -> None:
        """The request's body is wanted: all of it, buffered, or part by part as an upstream takes it."""

    def body_preread(self, request: Request) -> Count:
        """How much of the body came with the head, into the head's buffer; -1 where the two are apart (HTTP/2)."""
        return -1

    def body_done(self) -> bool:
        """Whether receive_body() has given the last part."""
        raise NotImplementedError

    def body_received(self) -> Count:
        """Bytes of the request's body so far, with their framing: for $request_length."""
        return 0

    def discard_body(self, request: Request) -> Status:
        """Read and drop what is left of the request's body; 0, or the status to end with if it is no body."""
        raise NotImplementedError

    def receive_body(self, request: Request) -> bytes | None:
        """The next decoded part of the request's body; b"" at its end, None if the client has to send more.

        Errors: BodyError with the status that nginx would answer.
        """
        raise NotImplementedError
