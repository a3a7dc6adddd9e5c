"""The interface between a request and the stream that it came on: HTTP/1, HTTP/2, or a parent request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.connection import Connection
    from gateway.http.request import Request


class Output(Protocol):
    """Head out, data out, file out, trailers, body in. All verbs return at once; what does not fit is queued."""

    @property
    def connection(self) -> Connection: ...

    def send_head(self, request: Request) -> None:
        """Queue the response's head."""

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        """Queue a part of the body; `flush`: it shall leave now."""

    def pending(self) -> int:
        """Bytes queued and not yet taken by the kernel."""

    def finish(self, request: Request) -> None:
        """All is queued: flush it, then log, clean up, and go on with the connection."""

    def terminate(self, request: Request) -> None:
        """End at once without completing the response: log, clean up, close."""

    def discard_body(self, request: Request) -> int:
        """Read and drop what is left of the request's body; 0, or the status to end with if it is no body."""

    def receive_body(self, request: Request) -> bytes | None:
        """The next decoded part of the request's body; b"" at its end, None if the client has to send more.

        Errors: BodyError with the status that nginx would answer.
        """
