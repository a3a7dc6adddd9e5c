"""What a request holds as plain values: what was asked, where it stands, what is answered, what modules keep for it.

What becomes of it is request.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.http.module import BodyFilter, Count
from gateway.http.response import Response

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead
    from gateway._fast.zone_counts import ZoneCounts
    from gateway.core.regex import Captures
    from gateway.http.body import RequestBody
    from gateway.http.feed import Feed
    from gateway.http.subrequest import Subrequests

URI_CHANGES = 10  # rewrites and internal redirects of one request; nginx's NGX_HTTP_MAX_URI_CHANGES


class RequestRecord:
    """Compiled with the types of request_record.pxd: an attribute has its line there too."""

    def reset(self, head: RequestHead) -> None:
        """Hold what a request begins with: what __init__ does, as a call of C's."""
        self.head = head
        self.response = Response()
        # made when they are asked for: few requests need them
        self._values: dict[str, bytes | None] | None = None
        self._state: dict[Any, Any] | None = None
        self._filters: list[BodyFilter] | None = None
        self.feed: Feed | None = None  # what waits to go through them
        self._cleanups: list[Callable[[], None]] | None = None
        self.counted: ZoneCounts | None = None  # by a status_zone, as under way
        # asked by the client, or changed by a rewrite
        self.method: bytes = b""
        self.uri: bytes = b""  # normalised path
        self.args: bytes = b""
        self.valid_unparsed_uri: bool = True  # the URI is still what the client sent
        self.valid_location: bool = True  # the URI still begins with its location's name
        self.http_version: int = 10  # 9, 10, 11, 20
        self.header_only: bool = False  # HEAD, and statuses without a body
        self.host: bytes = b""  # validated name: request line, Host field, or server_name
        # where it stands
        self.step: int = 0
        self.internal: bool = False
        self.uri_changed: bool = False
        self.uri_changes: int = URI_CHANGES + 1
        self.in_error_page: bool = False
        self.err_status: int = 0
        self.captures: Captures | None = None
        self.subrequests: Subrequests | None = None  # of the main request, once it has some
        self.add_uri_to_alias: bool = False
        # what is answered
        self.head_sent: bool = False
        self.reads: bool = False  # a body filter reads what goes by: files go through them buffer by buffer
        self.cuts: int = 0  # so many of the body filters, the first ones, cut parts out, and read nothing
        self.keepalive: bool = False
        self.chunked: bool = False
        self.complete: bool = False  # all of the response is with the kernel: $request_completion
        self.head_size: int = 0
        self.started: float = 0.0  # lane time
        self.finished: bool = False  # the last piece was handed to the output
        self.lingering_close: bool = False
        self.expect_tested: bool = False
        self.upgraded: bool = False
        self.pipelined: bool = False
        self.sent_before: int = 0  # what the connection had sent when this request began
        self.limit_rate: int | None = None  # set by $limit_rate or X-Accel-Limit-Rate, else the location's
        self.limit_rate_after: int | None = None
        self.body: RequestBody | None = None
        self.discarding: bool = False  # what is left of the body is read and dropped
        self.aborted: bool = False  # the client went away, or sending failed
        self.timed_out: bool = False  # the client did nothing for too long: its connection may be reset
        self.upstream: Any = None  # the exchange, for $upstream_* variables
        self.log_status: int = 0  # nginx's status in the log when no response was made (400, 408, 499)
        self.on_client_event: Callable[[], None] | None = None  # of what waits for it
        self.request_body_in_file_only: bool = False
        self.action: bytes = b""  # what is being done, for the error log: " while sending to client"

    @property
    def values(self) -> dict[str, bytes | None]:
        """Variables: what was set, and what was found once and is kept."""
        return self.get_values()

    def get_values(self) -> dict[str, bytes | None]:
        """`values`, for compiled callers."""
        values = self._values
        if values is None:
            values = self._values = {}
        return values

    @property
    def state(self) -> dict[Any, Any]:
        """What a module keeps for this request, by the module; an internal redirect forgets it."""
        state = self._state
        if state is None:
            state = self._state = {}
        return state

    @property
    def body_filters(self) -> list[BodyFilter]:
        filters = self._filters
        if filters is None:
            filters = self._filters = []
        return filters

    @property
    def cleanups(self) -> list[Callable[[], None]]:
        """Called when the request has ended, however it did."""
        cleanups = self._cleanups
        if cleanups is None:
            cleanups = self._cleanups = []
        return cleanups

    def body_length(self) -> Count:
        """Bytes of the client's body: as declared, or as many as have come of a chunked one; -1 for none."""
        length = self.head.content_length
        if length < 0 and self.head.chunked:
            body = self.body
            return body.size if body is not None else -1
        return length

    def count_uri_change(self) -> bool:
        self.uri_changes -= 1
        return self.uri_changes > 0

    def forget_filters(self) -> None:
        self._state = None
        self._filters = None

    def matched(self, captures: Captures) -> None:
        """Remember a regular expression's groups, for $1 … and the named ones."""
        self.captures = captures
        for name, number in captures.regex.variables:
            self.values[name] = captures.group(number) or b""

    def satisfied(self) -> None:
        """`satisfy any` was met: a challenge left by a handler that refused is taken back."""
        self.response.remove(b"proxy-authenticate" if self.method == b"CONNECT" else b"www-authenticate")

    def field(self, lower_name: bytes) -> bytes | None:
        """The value of the request's header field; None if absent."""
        value: bytes | None = self.head.get(lower_name)
        return value
