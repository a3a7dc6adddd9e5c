"""What becomes of the head that a peer answered with: an error page, a redirect, a tunnel, or the client's response.

What of the body is not here yet is passed on by the pipe (pipe.py), in a fibre. Compiled with the types of
peer_answer.pxd.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway.http.module import OK, Result
from gateway.upstream.exchange import instead, next_upstream, pipe, store, upgrade
from gateway.upstream.exchange.attempt import Stage
from gateway.upstream.exchange.peer_try import PeerTry
from gateway.upstream.exchange.response import Ignore, UpstreamHead
from gateway.upstream.peers.peers import Outcome

if TYPE_CHECKING:
    from gateway.http.client import Client

# Members of enums, bound: a look-up in an enum costs more than a system call.
_OK: Final = Outcome.OK
_READING_BODY: Final = Stage.READING_BODY
_X_ACCEL_REDIRECT: Final = int(Ignore.X_ACCEL_REDIRECT)
_X_ACCEL_BUFFERING: Final = int(Ignore.X_ACCEL_BUFFERING)
# What a filter says that it happened in, in the error log.
_READING_HEAD: Final = b" while reading response header from upstream"
SENDING: Final = b" while sending to client"
SPECIAL: Final = 300  # from here on a status may have an error page


class PeerAnswer(PeerTry):
    """The second half of an exchange: the answer has begun, and no other peer is asked."""

    def _answer(self) -> Result | Awaitable[Result]:
        """Use the head that came: an error page, a redirect, a tunnel, or the client's response."""
        request = self.request
        head = self.head
        reader = self.reader
        choice = self.choice
        assert head is not None and reader is not None and choice is not None
        settings = self.settings
        if head.status >= SPECIAL and (
            (settings.intercept_errors and instead.has_error_page(request, head))
            or (head.status == 404 and settings.intercept_404)
        ):
            self._begin_body(head)
            self.intercepted(head)
            request.action = SENDING
            return head.status
        if (
            (head.status > 300 and head.status != 304) or request.head.get_upgrade() is not None
        ) and request.cycle.diagnosis is not None:
            request.cycle.diagnosis.answered(self)
        if choice.notify:
            choice.head_came(self.attempt)
        if self.upstream.sticky is not None and self.peer is not None:
            self.upstream.sticky.head_came(self, choice, self.peer)
        ignored = settings.ignore_headers
        head.apply_controls(request, ignored)
        if head.redirect is not None and not ignored & _X_ACCEL_REDIRECT:
            return self._redirect(head)
        self.copy_head(head)
        request.action = _READING_HEAD
        if head.status == 101 and request.head.get_upgrade() is not None:
            if request.main is not request:
                self.request.log("error", b"connection upgrade in subrequest")
                return request.abort()
            return upgrade.run(self)
        self.attempt.stage = _READING_BODY
        if request.method != b"HEAD":
            self.attempt.body_received += reader.preread()
        rest, broken = self._begin_body(head)
        buffering = settings.buffering
        if head.buffering and settings.change_buffering and not ignored & _X_ACCEL_BUFFERING:
            buffering = {b"no": False, b"yes": True}.get(head.buffering, buffering)
        elif buffering and (types := settings.unbuffered_types) is not None:
            buffering = (request.response.content_type or b"").lower() not in types
        if not buffering:
            request.limit_rate = 0
        without_body = request.send_head()
        request.action = SENDING
        keeps = self.keeps(head, buffering)
        if without_body and not keeps:
            return self.finish([])
        if broken:
            request.send([rest] if rest and not without_body else [])
            return pipe.cut_off(self)
        if reader.excess:
            self.warn_excess()
        if reader.done and not keeps:
            return self.finish([rest] if rest else [])
        if buffering:
            if request.cycle.diagnosis is not None:
                request.cycle.diagnosis.buffers(self)
            return pipe.run_buffered(self, rest, keeps)
        return pipe.run_unbuffered(self, rest)

    # what an exchange with a cache does besides

    def intercepted(self, head: UpstreamHead) -> None:
        """Instead of this answer there will be an error page."""

    def copy_head(self, head: UpstreamHead) -> None:
        """Make the client's response of the head."""
        head.copy(self.request, self.conf, self.settings)

    def keeps(self, head: UpstreamHead, buffering: bool) -> bool:
        """Whether the answer becomes a file; asked when the client's head is queued."""
        return buffering and self.settings.stores and head.status == 200 and self.request.method != b"HEAD"

    def begin_file(self) -> Any:
        """What takes the answer, if it is kept: its `file` is written, then `finish` called. Errors: FileError."""
        return store.StoreFile(self)

    def _begin_body(self, head: UpstreamHead) -> tuple[bytes, bool]:
        """What of the body came with the head, and whether it is broken; without a body the answer is whole now."""
        assert self.reader is not None
        try:
            rest = self.reader.begin_body(
                self.request.method, head.status, head.content_length, head.chunked, head.connection_close
            )
        except HeadError as error:
            self.log("error", error.message.encode("utf-8", "surrogateescape"))
            return error.part, True
        return rest, False

    def warn_excess(self) -> None:
        words = None if self.reader is None else self.reader.excess_words
        self.log("warn", words or b'upstream sent more data than specified in "Content-Length" header')

    def finish(self, pieces: list[Any]) -> Result:
        """The whole answer is here: let the upstream go, and leave the rest to the output."""
        self.attempt.ended = self.lane.fresh()
        request = self.request
        trailers = None if self.reader is None else self.reader.get_trailers()
        if trailers is not None:
            self.trailers = trailers
        if self.trailers and self.settings.pass_trailers:
            hidden = self.settings.hidden
            request.response.trailers = [field for field in self.trailers if field[0].lower() not in hidden]
        request.send(pieces, True)
        return OK

    def cut(self) -> Result:
        """The answer broke off after its head: the client must see that it is not whole.

        That of a subrequest is a part of the response like any other, as in nginx.
        """
        request = self.request
        if request.parent is not None:
            request.send([], True)
            return OK
        request.keepalive = False
        request.send([], False, True)
        request.log_status = request.log_status or request.response.status
        return request.abort()

    def _redirect(self, head: UpstreamHead) -> Result:
        """X-Accel-Redirect: another location answers, with some of this answer's fields."""
        if self.reader is not None:  # else the answer comes from a cache
            self._begin_body(head)
        request, conf = self.request, self.conf
        self.release()
        return instead.redirect(request, conf, head)

    # -- the end of it, and of a try without an answer -----------------------------------------------------------

    def release(self) -> None:
        """End of the exchange, however it came: the try is closed in the records, the connection kept or closed."""
        attempt = self.attempt
        if attempt.ended < 0:
            attempt.ended = self.lane.fresh()
        connection = self.connection
        client: Client = self.request.connection
        if connection is not None:
            attempt.sent = connection.stream.sent - connection.sent_before
        self._free(_OK)
        if connection is not None:
            self.connection = None
            reader = self.reader
            keepalive = self.upstream.keepalive
            if (
                keepalive is None
                or reader is None
                or not (reader.done and reader.keepalive and self.body_sent)
                or self.owes_body
                or client.worker.exiting
                or not keepalive.give(connection, self.conf, self.lane.fresh())
            ):
                connection.close(attempt)

    def _free(self, outcome: Outcome) -> None:
        peer = self.peer
        if peer is not None:
            assert self.choice is not None
            self.peer = None
            upstream = self.upstream
            if upstream.sticky is not None and outcome is _OK:
                upstream.sticky.ended(self, self.choice, peer)
            if change := self.choice.free(outcome, int(self.lane.fresh()), self.attempt):
                next_upstream.peer_changed(self, peer, change)
            if upstream.queue is not None:
                upstream.queue.wake()
