"""What a request sends and its body filters have not taken yet: read from its files as the output has room.

A filter that reads what goes by (gzip, sub, ssi) makes memory of it, at once of all that it is given. So a file waits
here and is cut into buffers (`output_buffers`), each of which goes through the filters when less than all buffers are
under way behind them: nginx's copy filter and its writer in one. Request.send() makes a Feed where it needs one, so
that handlers know nothing of it; where no filter reads, files go to the output whole. A filter that may make much of
little (gunzip) keeps its input, and is asked for more of its output here, too (Request.keeps()).

It is pulled when something is added, and whenever the client has taken something; one round of buffers, and the lane
turns to the others.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.core.pieces import Piece, length, part
from gateway.http.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from gateway.http.request import Request

# Less than this is not worth a packet while more is to come: nginx's postpone_output by default.
_LEAST: Final = 1460


class Keeper(Protocol):
    """A body filter that may have more to give than there is room for."""

    def go_on(self) -> bool:
        """Pass some more on, with Request.pass_on(); whether there is still more. Errors: OSError."""


class Feed:
    """Compiled with the types of feed.pxd."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.queue: Any = deque()
        self.offset = 0  # what has gone of its first piece
        self.held = 0  # bytes in it
        self.keepers: list[Keeper] = []  # filters that have more to give: each before those that it got its input from
        self.last = False  # it has the end of the body
        self.flush = False
        self.ended = False  # the handler is through, and its request waits for what is here
        self.busy = False
        self.buffer: int = request.location.output_buffer
        self.room: int = request.location.output_room  # for what may be under way behind the filters
        for body_filter in request.body_filters:
            if body_filter.room:
                self.room = body_filter.room
        self.turn: Any = None  # it goes on when the others had their turn
        self.timer: Any = None
        self.sent = -1  # by the output, when it was last seen to move
        self.since = 0.0

    def add(self, pieces: list[Piece], last: bool, flush: bool) -> None:
        for piece in pieces:
            size = length(piece)
            if size:
                self.queue.append(piece)
                self.held += size
        self.last = self.last or last
        self.flush = self.flush or flush
        self.pull()

    def pull(self) -> None:
        """Pass on what there is room for."""
        if self.busy:
            return
        request = self.request
        if self.ended and request.output.deserted(request):
            self.close()
            request.log("info", b"client prematurely closed connection")
            request.finalize(CLIENT_CLOSED)
            return
        self.busy = True
        try:
            done = self._pull()
        finally:
            self.busy = False
        request = self.request
        if request is None:
            return  # it ended meanwhile
        if done:
            ended = self.ended
            self.close()
            if not ended:
                return
            if request.aborted:
                request.log_status = request.log_status or request.response.status
                request.output.terminate(request)
            else:
                request.finish()
            return
        self._watch()

    def _pull(self) -> bool:
        """Whether nothing is left to be passed on, or nobody to pass it to."""
        request = self.request
        output = request.output
        budget = self.room
        done = False
        while request.feed is self:
            if request.aborted or output.gone():
                return True
            if done:
                break
            if request.under_way() >= self.room:
                self._flush(False)
                if request.feed is not self or request.under_way() >= self.room:
                    break
                continue
            if budget <= 0:
                self.go_on_later()
                break
            budget -= self.buffer
            if self.keepers:
                keeper = self.keepers[-1]
                if not request.more_of(keeper):
                    self.keepers.remove(keeper)
            else:
                pieces = self._take()
                done = not self.queue
                request.filter(pieces, done and self.last, done and self.flush)
            done = not self.queue and not self.keepers
        if request.feed is self:
            self._flush(done)
        return done

    def _take(self) -> list[Piece]:
        """The next buffer."""
        pieces: list[Piece] = []
        room = self.buffer
        while self.queue and room > 0:
            piece = self.queue[0]
            left = length(piece) - self.offset
            if left <= room:
                self.queue.popleft()
                pieces.append(part(piece, self.offset, left) if self.offset else piece)
                self.offset = 0
            else:
                left = room
                pieces.append(part(piece, self.offset, left))
                self.offset += left
            room -= left
            self.held -= left
        return pieces

    def _flush(self, all_: bool) -> None:
        """Send what is queued, past the filters, which are not to flush for it."""
        main = self.request.main
        queued = main.output.pending()
        if queued >= _LEAST or (all_ and queued and not self.last):
            main.output.send(main, [], False, True)

    def go_on_later(self) -> None:
        """In the lane's next turn."""
        if self.turn is None:
            self.turn = self.request.connection.lane.call_later(0, self._go_on)

    def _go_on(self) -> None:
        self.turn = None
        request = self.request
        if request is not None:
            request.wake()

    # -- the handler's end, and a client that takes nothing ----------------------------------------------------------

    def end(self) -> None:
        """The handler is through: the request finishes with what is here."""
        self.ended = True
        self._watch()

    def _watch(self) -> None:
        """Note whether the client takes something; while the handler is at work, that is for the handler to see."""
        request = self.request
        sent = request.output.sent()
        if sent != self.sent or self.turn is not None or self._waits_for_turn():
            self.sent = sent
            self.since = request.connection.lane.now
        if self.ended and self.timer is None:
            due = self.since + request.location.core.send_timeout
            self.timer = request.connection.lane.call_later(due - request.connection.lane.now, self._look)

    def _waits_for_turn(self) -> bool:
        """Whether it is for other parts of the response, not for the client, to go on."""
        subrequests = self.request.subrequests
        return subrequests is not None and subrequests.waits_for_turn(self.request)

    def _look(self) -> None:
        self.timer = None
        request = self.request
        if request is None:
            return
        now = request.connection.lane.now
        if (
            request.output.sent() == self.sent
            and now >= self.since + request.location.core.send_timeout
            and self.turn is None
            and not self._waits_for_turn()
        ):
            request.log("info", b"client timed out (110: Connection timed out)")
            request.finalize(408)
        else:
            self._watch()

    def close(self) -> None:
        """Nothing more is passed on."""
        request = self.request
        if request is None:
            return
        self.request = None  # type: ignore[assignment]
        request.feed = None
        self.queue.clear()
        self.keepers.clear()
        self.held = 0
        if self.turn is not None:
            self.turn.cancel()
            self.turn = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
