"""One request: what the client asked, where it stands in its plan, and what is answered."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from gateway._fast import uri as uri_grammar
from gateway.core.pieces import in_files
from gateway.http import error_pages, paths
from gateway.http.feed import Feed
from gateway.http.module import DONE, ERROR, OK, RESTART, BodyFilter, Count, FilterFinalize, Result, Status
from gateway.http.output import Output
from gateway.http.request_record import RequestRecord
from gateway.http.response import Response
from gateway.http.status import CLIENT_CLOSED, CLOSE

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead
    from gateway.core.pieces import Piece
    from gateway.http.cycle import HttpCycle
    from gateway.http.feed import Keeper
    from gateway.http.locations import Location
    from gateway.http.plan import Plan
    from gateway.http.servers import Server


class Request(RequestRecord):
    """Compiled with the types of request.pxd: an attribute has its line there too, or in request_record.pxd."""

    def __init__(self, output: Output, head: RequestHead, server: Server, cycle: HttpCycle) -> None:
        self.begin(output, head, server, cycle)

    def begin(self, output: Output, head: RequestHead, server: Server, cycle: HttpCycle) -> None:
        """What __init__ does, as a call of C's: see new_request()."""
        self.output = output
        self.connection = output.get_connection()
        self.server = server
        self.cycle = cycle
        self._main: Request | None = None
        self.parent: Request | None = None  # of a subrequest
        self.location: Location = server.root
        self.plan: Plan = server.root.plan  # type: ignore[assignment]  # find_location sets it
        self.reset(head)

    @property
    def main(self) -> Request:
        """The request that the client made; itself, unless it is a subrequest."""
        return self.get_main()

    @main.setter
    def main(self, request: Request) -> None:
        self._main = None if request is self else request

    def get_main(self) -> Request:
        """`main`, for compiled callers."""
        # An attribute that holds the request itself would leave each one to the garbage collector.
        return self if self._main is None else self._main

    def inherit(self, parent: Request) -> None:
        """Be a subrequest: the client's request and the variables are the parent's."""
        self.main = parent.main
        self.parent = parent
        self._values = parent.values

    # -- running the plan ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: the server's own phases, then the location; goes on without a task as long as nothing waits."""
        counts = self.server.counts
        if counts is not None and self._main is None:
            counts.begins()
            self.counted = counts
        try:
            result = self.enter_server(first=self._main is None)
        except Exception as error:
            if self.plan is None:
                self.enter(self.server.root)
            result = self.result_of(error)
        self.drive(result)

    def drive(self, result: Result | Awaitable[Result]) -> None:
        """Go on with the plan from this result, in place; in a fibre once something has to wait."""
        waiting = self.run(result)
        if waiting is not None:
            self.connection.lane.spawn(self._drive(waiting), self._crashed)

    async def _drive(self, waiting: Awaitable[Result] | None) -> None:
        while waiting is not None:
            try:
                result = await waiting
            except Exception as error:
                result = self.result_of(error)
            waiting = self.run(result)

    def result_of(self, error: Exception) -> int:
        """What the request goes on with after an exception of a handler."""
        if isinstance(error, FilterFinalize):
            # a head filter refused the response: nothing of it was sent, and another takes its place
            self.head_sent = False
            self.forget_filters()
            if not error.keeps:
                self.response = Response()
            return error.status
        if isinstance(error, MemoryError) and self.body is not None:
            self.body.memory = []
        self.cycle.crashed(self, error)
        return 500 if not self.head_sent else self.abort()

    def _crashed(self, error: BaseException) -> None:
        self.cycle.crashed(self, error)
        self.output.terminate(self)

    def run(self, result: Result | Awaitable[Result]) -> Awaitable[Result] | None:
        """Run steps until the request is answered (None) or one has to wait (its awaitable)."""
        while True:
            try:
                if result is None:
                    result = self._advance()
                if type(result) is not int:
                    return result  # type: ignore[return-value]
                status: Status = result
                if status != RESTART:
                    status = self.finalize(status)
            except Exception as error:
                result = self.result_of(error)
                continue
            if status != RESTART:
                return None
            result = None

    def _advance(self) -> Result | Awaitable[Result]:
        steps = self.plan.steps
        i = self.step
        while True:
            step = steps[i]
            i += 1
            self.step = i
            result = self.enter_location() if step is None else step.run(self)
            if result is not None:
                return result

    def enter_server(self, first: bool = False) -> Result | Awaitable[Result]:
        """SERVER_REWRITE (POST_READ before it, on a request's first time), then the choice of the location.

        A handler of POST_READ that waits calls this once more when it need not any longer.
        """
        server = self.server
        handlers = server.handlers
        if handlers is None:
            handlers = server.handlers = self.cycle.server_handlers(server)
        if not handlers:
            self.uri_changed = False
            return self.find_location()
        post_read, rewrite = handlers
        self.enter(server.root)
        if first:
            for handler in post_read:
                result = handler.run(self)
                if result is not None and result != OK:
                    return result  # type: ignore[no-any-return]
        for handler in rewrite:
            result = handler.run(self)
            if result is not None:
                assert isinstance(result, int)
                return result
        self.uri_changed = False
        return self.find_location()

    def find_location(self) -> Result:
        """Choose the location of the present URI and set its plan; RESTART, or a redirect to the URI with a slash."""
        server = self.server
        uri = self.uri
        location = server.locations.find(self, uri) or server.root
        self.enter(location)
        if location.internal and not self.internal:
            return 404
        limit = location.core.client_max_body_size
        if limit and self.body_length() > limit and not self.discarding:
            return self.too_large()
        if location.auto_redirect and len(location.name) == len(uri) + 1 and location.name.startswith(uri):
            self.enter_location()
            tail = b"?" + self.args if self.args else b""
            self.response.location = uri_grammar.escape(location.name, "uri") + tail
            return 301
        return RESTART

    def enter(self, location: Location) -> None:
        self.location = location
        plan = location.plan
        if plan is None:
            plan = self.cycle.plan_of(location)
        self.plan = plan
        self.step = 0

    def enter_location(self) -> Result:
        """The first step of every plan: the settings that act on entering a location."""
        core = self.location.core
        if core.limit_except is not None and self.method not in core.limit_except.methods:
            self.enter(core.limit_except.location)
            return RESTART
        if self.keepalive and self._main is None:
            self.output.check_keepalive(self, core)
        return None

    def too_large(self) -> Status:
        """The body is above the limit of the location that the URI has led to: no named one asks, nor an `if`."""
        self.log("error", b"client intended to send too large body: %d bytes" % self.body_length())
        self.expect_tested = True
        self.discard_body()
        return 413

    # -- the answer ----------------------------------------------------------------------------------------------

    def send_head(self) -> bool:
        """Run the head filters and queue the head; True if no body may follow (HEAD, 204, 304)."""
        if self.head_sent:
            if not self.output.unseen:  # of a post_action
                self.log("alert", b"header already sent")
            return True
        self.head_sent = True
        if self.err_status:
            self.response.status = self.err_status
            self.response.status_text = None
        for head_filter in self.plan.head_filters:
            body_filter = head_filter.run(self)
            if body_filter is not None:
                filters = self.body_filters
                if body_filter.first:
                    filters.insert(0, body_filter)
                    self.cuts += 1
                else:
                    filters.append(body_filter)
                    if not body_filter.passes_files:
                        self.reads = True
                        if getattr(body_filter, "holds_head", False):
                            body_filter.after = self.plan.head_filters.index(head_filter) + 1
                            return False
        self.output.send_head(self)
        return self.header_only

    def go_on_with_head(self, at: int) -> bool:
        """A filter that held the head lets it go, through those behind it; as send_head()."""
        for head_filter in self.plan.head_filters[at:]:
            body_filter = head_filter(self)
            if body_filter is not None:
                self.body_filters.append(body_filter)
        self.output.send_head(self)
        return self.header_only

    def send(self, pieces: list[Piece], last: bool = False, flush: bool = False) -> None:
        """Pass a part of the body through the filters to the output; from files as the output has room."""
        if not self.reads:
            self._filter(0, pieces, last, flush)
            return
        try:
            for i in range(self.cuts):
                pieces = self.body_filters[i](pieces, last, flush) or []
            feed = self.feed
            if feed is None:
                if in_files(pieces) <= self.location.output_buffer:
                    self._filter(self.cuts, pieces, last, flush)
                    return
                feed = self.feed = Feed(self)
            feed.add(pieces, last, flush)
        except OSError as error:
            self.cut_short(error)

    def filter(self, pieces: list[Piece], last: bool, flush: bool) -> None:
        """The feed's call: a buffer's worth, for all filters but those that have been applied."""
        try:
            self._filter(self.cuts, pieces, last, flush)
        except OSError as error:
            self.cut_short(error)

    def keeps(self, body_filter: Keeper) -> None:
        """A body filter has more to give than it passes on now: it is asked for it when there is room."""
        feed = self.feed
        if feed is None:
            feed = self.feed = Feed(self)
        feed.keepers.append(body_filter)
        feed.go_on_later()

    def more_of(self, body_filter: Keeper) -> bool:
        """The feed's call: there is room."""
        try:
            return body_filter.go_on()
        except OSError as error:
            self.cut_short(error)
            return False

    def pass_on(self, after: BodyFilter, pieces: list[Piece], last: bool, flush: bool) -> None:
        """Pass a part of the body on behind this filter, which had kept it."""
        try:
            self._filter(self.body_filters.index(after) + 1, pieces, last, flush)
        except OSError as error:
            self.cut_short(error)

    def _filter(self, at: Count, pieces: list[Piece], last: bool, flush: bool) -> None:
        """Through the filters from this one on, to the output. Errors: OSError of a file."""
        filters = self._filters
        if filters is not None:
            while at < len(filters):
                passed = filters[at](pieces, last, flush)
                if passed is None:
                    return  # it goes on by itself, with pass_on()
                pieces = passed
                at += 1
        if last:
            self.finished = True
        self.output.send(self, pieces, last, flush)

    def cut_short(self, error: OSError) -> None:
        """A file cannot be read to the end that was promised: the client must see that the response is cut."""
        self.log("alert", b"file was truncated while it was sent", error if error.errno else None)
        self.abort()
        if self.subrequests is not None:
            self.subrequests.terminate(0)

    def pending(self) -> Count:
        """Bytes of this response that the client has yet to take, what waits for its turn or for room included."""
        return self.under_way() if self.feed is None else self.under_way() + self.feed.held

    def under_way(self) -> Count:
        """Those of them that have been through the filters."""
        pending = self.output.pending()
        return pending if self.subrequests is None else pending + self.subrequests.held(self)

    def wake(self) -> None:
        """There may be room for more of this response."""
        feed = self.feed
        if feed is not None:
            feed.pull()
        if self.on_client_event is not None:
            self.on_client_event()

    def client_event(self) -> None:
        """Something was received from the client, or sent to it, or it is gone: the stream's call."""
        self.wake()
        if self.subrequests is not None and self._main is None:
            self.subrequests.client_event()

    def respond(self, status: Status, body: bytes, content_type: bytes | None = None) -> Result:
        """A whole response with a body in memory: the usual way for small answers."""
        response = self.response
        response.status = status
        if content_type is not None:
            response.content_type = content_type
        response.content_length = len(body)
        if not self.send_head():
            self.send([body] if body else [], last=True)
        return OK

    def finalize(self, status: Status) -> Status:
        """End the request with OK, a status, or DONE; RESTART where an error_page sends it elsewhere."""
        if status == DONE:
            return DONE
        if status == OK and not self.aborted:
            self.finish()
            return DONE
        if status in (CLOSE, CLIENT_CLOSED, 408, ERROR) or self.aborted:
            if status == 408:
                self.main.timed_out = True
            if not self.log_status:
                # as in nginx, what was sent is not taken back
                seen = status <= 0 or (self.head_sent and self.bytes_sent() > 0)
                self.log_status = self.response.status if seen else status
            self.output.terminate(self)
            return DONE
        if status >= 300 or status in (201, 204):
            if self.head_sent and not self.output.unseen:  # a post_action may lead on to an error page
                self.output.terminate(self)
                return DONE
            result = error_pages.special_response(self, status)
            if result == RESTART:
                return RESTART
            return self.finalize(OK if result is None or result < 300 else result)
        self.finish()
        return DONE

    def finish(self) -> None:
        """The handler is through: the output ends the request, once all is with it and its subrequests have ended."""
        feed = self.feed
        if feed is not None:
            feed.end()
        elif self.subrequests is None or self.subrequests.main_ended():
            self.output.finish(self)

    def abort(self) -> int:
        """The response cannot be completed: cut the connection, so that the client sees it is cut."""
        self.aborted = True
        return CLIENT_CLOSED

    def clean_up(self) -> None:
        """Call what was to be called at the end, once."""
        feed = self.feed
        if feed is not None:
            feed.close()
        if self.body is not None and self._main is None:
            self.body.leave()
        counted = self.counted
        if counted is not None:
            self.counted = None
            counted.leaves()
        cleanups = self._cleanups
        if cleanups is None:
            return
        self._cleanups = None
        for cleanup in cleanups:
            try:
                cleanup()
            except Exception as error:
                self.cycle.crashed(self, error)

    def bytes_sent(self) -> Count:
        """$bytes_sent: of this response, head and body."""
        main = self if self._main is None else self._main
        return self.output.sent() - main.sent_before

    # -- the body ------------------------------------------------------------------------------------------------

    def send_continue(self) -> None:
        """`100 Continue` for a client that waits for it; nginx's ngx_http_test_expect."""
        if self.expect_tested:
            return
        self.expect_tested = True
        if self.head.expect_100 and self.http_version >= 11:
            self.output.send_continue()

    def discard_body(self) -> Status:
        """The body is not wanted: it will be read and dropped. 0, or the status to end with if it is no body (400)."""
        if self._main is not None or self.body is not None or self.discarding:
            return 0
        self.discarding = True
        head = self.head
        if head.has_expect:
            self.send_continue()
        if head.content_length <= 0 and not head.chunked:
            return 0
        return self.output.discard_body(self)

    def length_left(self) -> Count:
        """What an upstream is told of a body that is dropped, -1 for nothing; of one that is not, as declared.

        HTTP/1 reads it away, and 0 is left. HTTP/2 and 3 pass over their frames without counting: subrequests tell
        what was declared. A main request does not, as its upstream would wait for what nobody sends.
        """
        head = self.head
        if not self.discarding or (self._main is not None and self.http_version >= 20):
            return head.content_length
        return 0 if head.content_length >= 0 or (head.chunked and self.http_version < 20) else -1

    # -- what modules ask ----------------------------------------------------------------------------------------

    def conf(self, module: Any) -> Any:
        """The module's settings for the present location."""
        return self.location.confs[module]

    def map_uri_to_path(self, uri: bytes) -> bytes:
        """The file that the present URI names under root or alias."""
        return paths.map_uri_to_path(self, uri)

    @property
    def scheme(self) -> bytes:
        return self.connection.scheme

    def log(self, level: str, message: bytes | str, error: OSError | None = None) -> None:
        """One line in the location's error log, with nginx's context of the request."""
        self.cycle.log_request(self, level, message, error)


def new_request(output: Output, head: RequestHead, server: Server, cycle: HttpCycle) -> Request:
    """Request(…), without what a call by name costs."""
    request = Request.__new__(Request)
    request.begin(output, head, server, cycle)
    return request
