"""The order of a response that subrequests take part in; nginx's ngx_http_postpone_filter_module.

Each request of a response has a place in it. Exactly one place is active: what its request sends goes out at once.
What the others send is kept, and is passed on when all that stands before it has gone. The places make a tree; a
place's queue holds what its request sent, and the places of its subrequests, in the order in which they shall appear.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.core.pieces import Inserted, Piece, length
from gateway.http.module import BodyFilter

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.http.subrequest import Subrequest, Subrequests

# Less than this waits for more, or for the end: nginx's postpone_output by default. It leaves a response whose first
# subrequest fails the chance to be none at all.
_LEAST: Final = 1460


class Place(Inserted):
    """Where the output of one request appears; a piece of its parent's body."""

    __slots__ = ("active", "ended", "gave", "parent", "queue", "request", "resumed", "size", "waiting")

    def __init__(self, request: Request, parent: Place | None) -> None:
        self.request: Request | None = request
        self.parent = parent
        self.queue: deque[Piece] = deque()
        self.size = 0  # bytes of it that wait: in the queue, and in a filter that was told to wait
        self.active = parent is None
        self.gave = False  # something of it was passed on
        self.ended = False  # no more will come
        self.waiting: tuple[Subrequest, Callable[[], None]] | None = None
        self.resumed = False  # the wait is over, but the lane has not come to it yet

    def add(self, pieces: list[Piece]) -> None:
        self.queue.extend(pieces)
        for piece in pieces:
            self.size += length(piece)

    def wait(self, subrequest: Subrequest, go_on: Callable[[], None]) -> None:
        """Call `go_on` once the subrequest is done and it is this place's turn."""
        self.waiting = subrequest, go_on
        self.resumed = False


class Postponed(BodyFilter):
    """The tree of one response, and the body filter of its main request behind which all is in order."""

    passes_files = True

    def __init__(self, subrequests: Subrequests) -> None:
        self.subrequests = subrequests
        self.main = subrequests.main
        self.root = Place(self.main, None)
        self.active = self.root

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        root = self.root
        root.ended = root.ended or last
        if root.active and not root.queue and not any(isinstance(piece, Inserted) for piece in pieces):
            return pieces
        root.add(pieces)
        self._advance(flush)
        return None

    def send(self, place: Place, pieces: list[Piece], flush: bool) -> None:
        """A subrequest's part."""
        place.add(pieces)
        if place.active:
            self._advance(flush)

    def end(self, place: Place) -> None:
        """The subrequest of this place is through; it is done once all of it has been passed on."""
        place.ended = True
        if place.active:
            self._advance(False)

    @property
    def drained(self) -> bool:
        root = self.root
        return root.active and not root.queue and root.waiting is None

    def _advance(self, flush: bool) -> None:
        """Pass on what has its turn, and find whose turn it is then."""
        pieces: list[Piece] = []
        ended: list[Place] = []
        place = before = self.active
        place.active = False
        while True:
            if place.queue:
                piece = place.queue.popleft()
                if isinstance(piece, Place):
                    place = piece
                else:
                    place.size -= length(piece)
                    place.gave = True
                    pieces.append(piece)
            elif place.ended and place.parent is not None:
                ended.append(place)
                place = place.parent
            else:
                break
        self.active = place
        place.active = True
        last = place is self.root and place.ended
        if pieces or last or flush:
            self.main.pass_on(self, pieces, last, flush)
            if not last:
                self._flush()
        for done in ended:
            self.subrequests.place_done(done)
        if place is not before:
            self._wake(place)
        if last:
            self.subrequests.check_end()

    def _wake(self, place: Place) -> None:
        """It is this one's turn."""
        request = place.request
        if request is not None:
            request.wake()
        self.poll(place)

    def poll(self, place: Place) -> None:
        """Let what waits at this place go on, if the time has come."""
        if place.waiting is not None and place.active and place.waiting[0].done and not place.resumed:
            place.resumed = True
            self.subrequests.post(lambda: self._go_on(place))

    def _go_on(self, place: Place) -> None:
        assert place.waiting is not None
        go_on = place.waiting[1]
        place.waiting = None
        go_on()
        self._flush()
        self.subrequests.went_on(place)
        self._wake(place)  # its sender may have waited for room

    def _flush(self) -> None:
        """Send what is enough to be sent; past the filters, which are not to flush for it."""
        output = self.main.output
        if output.pending() >= _LEAST:
            output.send(self.main, [], False, True)
