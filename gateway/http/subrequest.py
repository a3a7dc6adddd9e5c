"""Subrequests: requests that the gateway makes for a part of an answer, or on the side; nginx's ngx_http_subrequest.

A subrequest runs the plan of its location as any request does; only its Output is another: its body appears in the main
response (Placed, in the order of postponed.py), stays in memory, or goes nowhere. It is started by the lane after the
present step, never from within the filter or handler that asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.core.pieces import Inserted, Piece, loaded, total
from gateway.http.module import DONE, Count, Status
from gateway.http.output import CLIENT_THERE, Output
from gateway.http.postponed import Place, Postponed
from gateway.http.request import Request

if TYPE_CHECKING:
    from gateway.http.client import Client

DEPTH: Final = 51  # subrequests within subrequests; nginx's NGX_HTTP_MAX_SUBREQUESTS and one
_MOST: Final = 65535 - 1000  # at one time for one request

# What to do when the handler is through with a status; it gives the status to go on with. Called again after an error
# page was made, as nginx's ngx_http_post_subrequest_t.
OnFinalize = Callable[["Subrequest", Status], Status]


class _Side(Output):
    """A subrequest whose output is of no interest: its status and fields are (auth_request), or nothing is (mirror)."""

    def __init__(self, subrequests: Subrequests) -> None:
        self.subrequests = subrequests

    def get_connection(self) -> Client:
        return self.subrequests.main.connection

    def send_head(self, request: Request) -> None:
        pass

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        pass

    def sent(self) -> Count:
        return self.subrequests.main.output.sent()

    def pending(self) -> Count:
        return 0

    def client_state(self) -> Status:
        return self.subrequests.main.output.client_state()

    def give_up(self) -> None:
        self.subrequests.main.output.give_up()

    def body_done(self) -> bool:
        return True

    def finish(self, request: Request) -> None:
        self.subrequests.ended(request)  # type: ignore[arg-type]  # it is a Subrequest

    def terminate(self, request: Request) -> None:
        self.subrequests.terminate(request.log_status)

    def discard_body(self, request: Request) -> Status:
        return 0

    def receive_body(self, request: Request) -> bytes | None:
        return b""


class _Background(_Side):
    """A subrequest that nobody waits for: it goes on without the client."""

    def client_state(self) -> Status:
        return CLIENT_THERE

    def give_up(self) -> None:
        pass


class _Placed(_Side):
    """A subrequest whose body is a part of the response."""

    place: Place

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        postponed = self.subrequests.postponed
        if postponed is not None and not self.subrequests.over:
            postponed.send(self.place, pieces, flush)

    def pending(self) -> Count:
        # what others have passed on is no reason for this one to wait
        place = self.place
        return self.subrequests.main.output.pending() if place.active and place.gave else 0


class _Memory(_Side):
    """A subrequest whose body is kept, up to subrequest_output_buffer_size bytes."""

    data: bytes | None = None

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        limit = request.location.core.subrequest_output_buffer_size
        if self.data is None:
            length = request.response.content_length
            if length > limit:
                return self._too_big(request, b": %d" % length)
            self.data = b""
        if len(self.data) + total(pieces) > limit:
            return self._too_big(request, b"")
        self.data += b"".join([part for part in loaded(pieces) if not isinstance(part, Inserted)])
        return None

    def _too_big(self, request: Request, how: bytes) -> None:
        if not request.aborted:
            request.log("error", b"too big subrequest response" + how)
            request.abort()


class Subrequest(Request):
    """Compiled code sees a Request; what is only of interest for a subrequest is here."""

    def __init__(self, parent: Request, uri: bytes, args: bytes, output: Output) -> None:
        Request.__init__(self, output, parent.head, parent.server, parent.cycle)
        self.inherit(parent)
        self.subrequests = parent.main.subrequests
        self.method = b"GET"
        self.uri = uri
        self.args = args
        self.valid_unparsed_uri = False
        self.http_version = parent.http_version
        self.host = parent.host
        self.internal = True
        self.expect_tested = True
        self.discarding = parent.discarding
        self.body = parent.body
        self.started = self.connection.lane.fresh()
        self.reads = parent.main.reads  # what of it is placed in the response goes through that one's filters, too
        self.depth: int = _depth(parent) + 1
        self.through = False  # its handler is
        self.has_output = False  # a part of a body was sent
        self.place: Place | None = None
        self.waited = False  # it is done when its handler is through, though its turn has not come
        self.done = False
        self.cloned = False
        self.on_finalize: OnFinalize | None = None
        self.on_done: Callable[[], None] | None = None

    @property
    def memory(self) -> bytes | None:
        """The body of a subrequest in memory; None if there was none."""
        return self.output.data if isinstance(self.output, _Memory) else None

    @property
    def background(self) -> bool:
        return isinstance(self.output, _Background)

    def start(self) -> None:
        if self.cloned:
            self.drive(None)  # with the step that the parent was at
        else:
            Request.start(self)

    def send(self, pieces: list[Piece], last: bool = False, flush: bool = False) -> None:
        if pieces:
            self.has_output = True
        Request.send(self, pieces, last, flush)

    def finalize(self, status: Status) -> Status:
        subrequests: Any = self.subrequests
        if subrequests.over:
            self.clean_up()
            return DONE
        if status != DONE and self.on_finalize is not None:
            status = self.on_finalize(self, status)
        return Request.finalize(self, status)

    def finish(self) -> None:
        if self.feed is not None:
            self.feed.end()
        else:
            self.output.finish(self)


def _depth(request: Request) -> int:
    return request.depth if isinstance(request, Subrequest) else 0


class Subrequests:
    """All subrequests of one main request: who is under way, and what becomes of them when it ends."""

    def __init__(self, main: Request) -> None:
        self.main = main
        self.live: set[Subrequest] = set()
        self.postponed: Postponed | None = None  # where some have a place in the response
        self.over = False  # the main request has ended
        self._main_ended = False  # its handler is through
        self._posted: list[Callable[[], None]] = []
        self._timer: Any = None
        main.cleanups.append(self._close)

    # -- from the lane ---------------------------------------------------------------------------------------------

    def post(self, callback: Callable[[], None]) -> None:
        """Call it after the present step."""
        self._posted.append(callback)
        if self._timer is None:
            self._timer = self.main.connection.lane.call_later(0, self._run_posted)

    def _run_posted(self) -> None:
        self._timer = None
        posted, self._posted = self._posted, []
        for callback in posted:
            if self.over:
                return
            try:
                callback()
            except Exception as error:
                self.main.cycle.crashed(self.main, error)
                self.terminate(500)

    # -- for the main request ----------------------------------------------------------------------------------------

    def main_ended(self) -> bool:
        """The main request's handler is through; whether it can end now. Else its output is told to, later."""
        self._main_ended = True
        if self._all_done():
            return True
        if self.main.head_sent and (self.postponed is None or self.postponed.drained):
            # what is still under way is none of the client's business
            self.main.output.send(self.main, [], False, True)
        return False

    def check_end(self) -> None:
        """End the main request if only its subrequests kept it."""
        if self._main_ended and not self.over and self._all_done():
            self._main_ended = False
            if self.main.feed is not None:
                self.main.feed.end()
            else:
                self.main.output.finish(self.main)

    def _all_done(self) -> bool:
        return not self.live and (self.postponed is None or self.postponed.drained)

    def client_event(self) -> None:
        for subrequest in tuple(self.live):
            if self.over:
                return  # one of them has ended all
            if not isinstance(subrequest.output, _Background):
                subrequest.wake()

    def place_of(self, request: Request) -> Place | None:
        if isinstance(request, Subrequest):
            return request.place
        return self.postponed.root if self.postponed is not None else None

    def held(self, request: Request) -> int:
        """Bytes of a request that wait for their turn in the response."""
        place = self.place_of(request)
        return place.size if place is not None else 0

    def waits_for_turn(self, request: Request) -> bool:
        """Whether it is for others, and not for the client, to let this request's output go on."""
        place = self.place_of(request)
        return place is not None and (not place.active or place.waiting is not None)

    # -- for a subrequest --------------------------------------------------------------------------------------------

    def ended(self, subrequest: Subrequest) -> None:
        """Its handler is through."""
        place = subrequest.place
        if subrequest not in self.live:
            return
        subrequest.through = True
        if place is None or place.parent is None or self.postponed is None:
            self._done(subrequest)
            self.check_end()
            return
        if place.waiting is None:
            self._end(subrequest, place)

    def _end(self, subrequest: Subrequest, place: Place) -> None:
        assert self.postponed is not None
        if subrequest.waited:
            self._is_done(subrequest)
        self.postponed.end(place)

    def went_on(self, place: Place) -> None:
        """A filter that had waited passed on what it kept; it may have been the last that was missing."""
        subrequest = place.request
        if not isinstance(subrequest, Subrequest):
            self.check_end()
        elif subrequest.through and place.waiting is None and not self.over:
            self._end(subrequest, place)

    def place_done(self, place: Place) -> None:
        """All of a subrequest has been passed on."""
        subrequest = place.request
        place.request = None
        if isinstance(subrequest, Subrequest):
            subrequest.place = None
            self._done(subrequest)

    def _done(self, subrequest: Subrequest) -> None:
        self.live.discard(subrequest)
        if subrequest.location.core.log_subrequest and subrequest.plan.log is not None:
            subrequest.plan.log.run(subrequest)
        subrequest.clean_up()
        self._is_done(subrequest)

    def _is_done(self, subrequest: Subrequest) -> None:
        if subrequest.done:
            return
        subrequest.done = True
        if subrequest.on_done is not None:
            subrequest.on_done()
        parent = subrequest.parent
        if self.postponed is not None and parent is not None:
            place = self.place_of(parent)
            if place is not None:
                self.postponed.poll(place)

    def terminate(self, status: Status) -> None:
        """A subrequest cannot go on, and the client must see that: the whole response is cut."""
        main = self.main
        if self.over:
            return
        main.aborted = True
        if not main.log_status:
            main.log_status = main.response.status if main.head_sent and main.bytes_sent() else status
        if main.on_client_event is not None:
            main.on_client_event()  # its own handler meets `aborted`
        main.output.terminate(main)

    def _close(self) -> None:
        """The main request has ended: what is still under way meets `aborted`."""
        self.over = True
        self.main.subrequests = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._posted.clear()
        self.postponed = None
        live, self.live = self.live, set()
        for subrequest in live:
            subrequest.aborted = True
            subrequest.place = None
            if subrequest.through or (subrequest.feed is not None and subrequest.feed.ended):
                subrequest.clean_up()
            elif subrequest.on_client_event is not None:
                subrequest.on_client_event()


def subrequests_of(request: Request) -> Subrequests:
    """The subrequests of a request's main request."""
    main = request.main
    if main.subrequests is None:
        main.subrequests = Subrequests(main)
    return main.subrequests


def postpone(main: Request) -> Postponed:
    """The body filter that puts a main response in order; its subrequests may have places from now on."""
    subrequests = subrequests_of(main)
    postponed = subrequests.postponed = Postponed(subrequests)
    return postponed


def _make(parent: Request, uri: bytes, args: bytes, kind: type[_Side]) -> Subrequest | None:
    if _depth(parent) == DEPTH:
        parent.log("error", b'subrequests cycle while processing "%b"' % uri)
        return None
    subrequests = subrequests_of(parent)
    if len(subrequests.live) >= _MOST:
        parent.log("crit", b'request reference counter overflow while processing "%b"' % uri)
        return None
    if isinstance(parent.output, _Memory):
        parent.log("error", b'nested in-memory subrequest "%b"' % uri)
        return None
    subrequest = Subrequest(parent, uri, args, kind(subrequests))
    subrequests.live.add(subrequest)
    subrequests.post(subrequest.start)
    return subrequest


def placed(parent: Request, uri: bytes, args: bytes = b"", *, waited: bool = False) -> Subrequest | None:
    """A subrequest whose `place` the caller puts into the parent's body; None, and a line in the log, if it may not be.

    Where the parent has no place in the response itself, the output of this one is lost as well.
    """
    outer = subrequests_of(parent).place_of(parent)
    subrequest = _make(parent, uri, args, _Side if outer is None else _Placed)
    if subrequest is not None:
        subrequest.waited = waited
        subrequest.place = Place(subrequest, outer)
        if isinstance(subrequest.output, _Placed):
            subrequest.output.place = subrequest.place
    return subrequest


def in_memory(parent: Request, uri: bytes, args: bytes = b"") -> Subrequest | None:
    """A subrequest whose body is found in `memory` when it is done."""
    subrequest = _make(parent, uri, args, _Memory)
    if subrequest is not None:
        subrequest.waited = True
    return subrequest


def aside(parent: Request, uri: bytes, args: bytes = b"", *, background: bool = False) -> Subrequest | None:
    """A subrequest without a body; one in the background keeps the connection, but nobody waits for it."""
    subrequest = _make(parent, uri, args, _Background if background else _Side)
    if subrequest is not None:
        subrequest.header_only = True
    return subrequest


def clone(parent: Request) -> Subrequest | None:
    """A request in the background that begins where its parent is now: at the content handler of this location."""
    return _begin_alike(aside(parent, parent.uri, parent.args, background=True), parent)


def placed_clone(parent: Request) -> Subrequest | None:
    """One with a place in the response; see placed()."""
    return _begin_alike(placed(parent, parent.uri, parent.args), parent)


def _begin_alike(subrequest: Subrequest | None, parent: Request) -> Subrequest | None:
    if subrequest is not None:
        subrequest.cloned = True
        subrequest.method = parent.method
        subrequest.location = parent.location
        subrequest.plan = parent.plan
        subrequest.step = parent.step - 1
        subrequest.valid_location = parent.valid_location
        subrequest.valid_unparsed_uri = parent.valid_unparsed_uri
        subrequest.captures = parent.captures
    return subrequest
