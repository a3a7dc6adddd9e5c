"""Filters that need all of a response before its head can be sent, since what they make of it changes the head.

Such a filter's `holds_head` keeps Request.send_head() from going on; the body is kept here, and work on it that takes
long is done in a thread. Then the head goes through the filters behind, and the body after it; or the response is
refused, and an error page takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.core.pieces import Piece, data_of
from gateway.http.feed import Feed
from gateway.http.module import BodyFilter, FilterFinalize
from gateway.http.response import Response

if TYPE_CHECKING:
    from gateway.http.request import Request

# What a worker may do in place, beside its other clients; more goes to a thread.
_IN_PLACE = 16384


class Refused(Exception):
    """Nothing can be made of the response: the status that stands for it, and what the error log has of that."""

    def __init__(self, status: int, words: str = "", level: str = "error") -> None:
        super().__init__(words)
        self.status = status
        self.level = level


# What has been made of a response: the body, once the request's head is changed to fit it.
Made = Callable[["Request"], bytes]


class WholeResponse(BodyFilter):
    """The body filter. `work` runs in a thread, or in place; errors of both: Refused."""

    holds_head = True
    after = 0  # how many head filters have been run; set by send_head()

    def __init__(self, request: Request, work: Callable[[bytes], Made], most: int, too_large: Refused | None) -> None:
        self.request = request
        self.work = work
        self.most = most  # bytes; 0: any number
        self.too_large = too_large
        self.kept: list[bytes] = []
        self.size = 0
        self.through = False  # what comes now is passed on
        self.over = False  # nothing of it is wanted any more

    def look(self, data: bytes, last: bool) -> Made | bool:
        """Of the first bytes: False to keep all, True to pass all on with the head as it is now, or what is made of it.

        Errors: Refused.
        """
        return False

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        if self.through:
            return pieces
        if self.over:
            return None
        try:
            return self._take(pieces, last)
        except Refused as refused:
            self._refuse(refused)
            return None

    def _take(self, pieces: list[Piece], last: bool) -> list[Piece] | None:
        for data in data_of(pieces):
            self.kept.append(data)
            self.size += len(data)
            if self.most and self.size > self.most:
                assert self.too_large is not None
                raise self.too_large
        first = self.kept[0] if len(self.kept) == 1 else b"".join(self.kept)
        self.kept = [first]
        found = self.look(first, last)
        if found is True:
            self.through = True
            return [first] if not self._release() and first else []
        if found is not False:
            self._answer(found)
        elif last:
            self.over = True
            if self.size > _IN_PLACE:
                self._in_thread(first)
            else:
                self._answer(self.work(first))
        return None

    def _release(self) -> bool:
        """The head may go: through the filters behind this one; True if no body may follow."""
        return self.request.go_on_with_head(self.after)

    def _answer(self, made: Made) -> None:
        """Errors: Refused."""
        self.over = True
        self.kept = []
        request = self.request
        body = made(request)
        request.response.content_length = len(body)
        if not self._release():
            request.pass_on(self, [body] if body else [], True, False)

    # -- a thread's work -----------------------------------------------------------------------------------------

    def _in_thread(self, data: bytes) -> None:
        waiting = Waiting(self.request)
        self.request.connection.lane.nursery.start_soon(self._work, data, waiting)

    async def _work(self, data: bytes, waiting: Waiting) -> None:
        """Cancelled: the worker ends, and the request with it."""
        import trio

        made: Made | None = None
        problem: Exception | None = None
        try:
            made = await trio.to_thread.run_sync(self.work, data, abandon_on_cancel=True)
        except Exception as error:
            problem = error
        request = waiting.request
        if request is None:
            return  # it ended meanwhile
        ended = waiting.ended
        waiting.close()
        try:
            if problem is not None:
                raise problem
            assert made is not None
            self._answer(made)
        except Refused as refused:
            self._refuse(refused, ended)
        except FilterFinalize as refused:
            self._refuse(Refused(refused.status), ended)
        except Exception as error:
            request.cycle.crashed(request, error)
            self._refuse(Refused(500), ended)
        else:
            if ended:
                request.finish()

    # -- another answer ------------------------------------------------------------------------------------------

    def _refuse(self, refused: Refused, ended: bool = False) -> None:
        request = self.request
        self.over = True
        self.kept = []
        if str(refused):
            request.log(refused.level, str(refused))
        feed: Any = request.feed
        if feed is not None:
            ended = ended or feed.ended
            feed.close()
        waiting = Waiting(request, refused.status)
        if ended:
            waiting.end()


def is_refused(request: Request) -> bool:
    """Whether this response is the page that stands for one that was refused."""
    return request.state.pop(WholeResponse, None) is not None


class Waiting:
    """In the place of a request's Feed, until the work is done; or, with a status, until the handler is through."""

    held = 0

    def __init__(self, request: Request, status: int = 0) -> None:
        feed = request.feed
        self.request: Request | None = request
        self.ended = isinstance(feed, Feed) and feed.ended
        self.status = status
        if feed is not None:
            feed.close()
        place: Any = self  # with as much of a Feed as a request asks of it
        request.feed = place

    def add(self, pieces: list[Piece], last: bool, flush: bool) -> None:
        """Not wanted any more."""

    def pull(self) -> None:
        """Nothing waits here for the client."""

    def end(self) -> None:
        """The handler is through."""
        self.ended = True
        request = self.request
        if request is None or not self.status:
            return
        self.close()
        if request.aborted:
            request.output.terminate(request)
            return
        request.head_sent = request.finished = request.reads = False
        request.cuts = 0
        request.forget_filters()
        request.state[WholeResponse] = True  # what follows is an error page: it is passed on as it is
        request.response = Response()
        request.drive(self.status)

    def close(self) -> None:
        request, self.request = self.request, None
        if request is not None:
            request.feed = None
