"""The seam for what explains failures. That stands above the engine (gateway.dev.diagnosis): it serves without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gateway.http.request import Request


class Diagnosis(Protocol):
    """Asked only when something has failed, or is about to go another way than the user will have meant.

    An exchange is gateway.upstream.exchange.exchange's, of a layer above this one.
    """

    def explain(self, request: Request, message: bytes, error: OSError | None) -> bytes | None:
        """The cause behind a line that the error log has just taken; None: nothing to say, or said a moment ago."""

    def reason(self, request: Request, message: bytes, error: OSError | None) -> bytes | None:
        """The cause for the record of one request, however often it was said; None: nothing, or asked too often."""

    def overhear(self, request: Request, message: bytes, error: OSError | None) -> None:
        """A line of which the error log has no cause, or that is below its level: for the page alone."""

    def answered(self, exchange: Any) -> None:
        """The head of an upstream's answer came: an error, a redirect, or the request asked for another protocol."""

    def buffers(self, exchange: Any) -> None:
        """An answer that has only begun is going to be buffered."""


class FailurePages(Protocol):
    """Who makes the page of a failure in development, in the place of nginx's."""

    def page(self, request: Request, status: int) -> tuple[bytes, bytes] | None:
        """Its type and its text; None: this client is to see nginx's."""


class Notes(Protocol):
    """Who keeps what the error log said of a request (request_history)."""

    def note(self, request: Request, level: str, text: bytes, cause: bytes | None) -> None: ...
