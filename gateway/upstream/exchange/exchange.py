"""One request to an upstream: try after try until one answers; the same loop for every protocol (codec.py).

It needs no fibre until a body has to be passed on: any event of the upstream's stream or the client's, and the deadline
that comes first, call the exchange, which looks at what can be done, does it, and waits again. What asks a peer
(peer_try.py) never waits. The pipe, the tunnel, the queue and a request's body await, and so go on in a fibre; what an
answer is used for is in peer_answer.py. Compiled with the types of exchange.pxd.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from gateway.core.lane import current_fibre
from gateway.http.body import BodyError, ClientEnded, read_body, read_body_nowait, read_body_part
from gateway.http.module import DONE, RESTART, Result
from gateway.http.output import CONNECTION_FAILED, GIVEN_UP
from gateway.upstream.exchange.attempt import error_words
from gateway.upstream.exchange.codec import RequestRefused
from gateway.upstream.exchange.next_upstream import BY_STATUS, NON_IDEMPOTENT_METHODS, Condition, outcome_of, status_of
from gateway.upstream.exchange.peer_answer import SENDING, SPECIAL, PeerAnswer
from gateway.upstream.exchange.peer_try import ClientGone

if TYPE_CHECKING:
    from gateway.upstream.peers.peers import Peer
    from gateway.upstream.peers.upstreams import Upstream

CLIENT_CLOSED: Final = 499
# What _go_on() begins with.
Step = int  # a number of C's, see exchange.pxd
_PICK: Final = 0  # another peer has to be chosen
_BEGIN: Final = 1  # the peer is chosen
_ASK: Final = 2  # it is being asked


class Exchange(PeerAnswer):
    """The work for one request, and what is known of it afterwards. `request.upstream` is the latest one."""

    # -- the whole -----------------------------------------------------------------------------------------------

    def run(self) -> Result | Awaitable[Result]:
        """The content handler. DONE: the exchange goes on by itself, and with the request at its end."""
        if self._body_comes() and not self._take_body_nowait():
            return self._run_after_body()
        return self._begin()

    def _body_comes(self) -> bool:
        """Whether something of the client is awaited: over HTTP/2 the end of its stream, however empty the body."""
        head = self.request.head
        if head.content_length > 0 or head.chunked or (head.has_expect and head.expect_100):
            return True
        return head.content_length == 0 and not self.request.output.body_done()

    async def _run_after_body(self) -> Result:
        status = await read_body(self.request)
        result = self._begin() if status is None else status
        return result if result is None or isinstance(result, int) else await result

    async def run_found(self, find: Callable[[], Awaitable[Upstream | int]]) -> Result:
        """run(), where variables name the upstream: it is found when the request's body is here."""
        if self._body_comes():
            status = None if self._take_body_nowait() else await read_body(self.request)
            if status is not None:
                return status
        found = await find()
        if isinstance(found, int):
            return found
        self.upstream = found
        result = self._begin()
        return result if result is None or isinstance(result, int) else await result

    def _begin(self) -> Result | Awaitable[Result]:
        """All that is sent is known: ask the first peer."""
        request = self.request
        try:
            self.packet = self.codec.encode(self)
        except RequestRefused as refused:
            request.log(refused.level, refused.message)
            return refused.status
        request.on_client_event = self
        choice = self.choice = self.upstream.choose(request)
        tries = self.settings.next_upstream_tries
        if tries and choice.tries > tries:
            choice.tries = tries
        self.began = self.lane.fresh()
        result = self._go_on(_PICK, None)
        return DONE if result is None else result

    def happened(self) -> None:
        """An event on either side."""
        request = self.request
        if request is None or self.wake is not None:
            return  # it has ended, or a fibre goes on with it
        if self.busy:
            self.missed = True  # what is sent may move the client's connection, which tells of it at once
            return
        try:
            result = self._go_on(_ASK, None)
        except Exception as error:
            result = request.result_of(error)
        if result is not None:
            request.drive(result)

    def late(self) -> None:
        """The deadline that was the first when it was set has passed."""
        self.planned = 0.0
        if self.until > self.lane.fresh():
            self._plan()
        elif self.until:
            self.happened()

    def _plan(self) -> None:
        """See that late() is called at `until`, or before."""
        until = self.until
        if until and (not self.planned or until < self.planned):
            self.planned = until
            self.lane.plan(self, until)

    def stopped(self) -> None:
        """The worker ends."""
        if self.wake is None:
            self._end()

    def _go_on(self, what: Step, peer: Peer | None) -> Result | Awaitable[Result]:
        """Do what can be done now, from a pick, a peer or an event on; None: something has to happen first.

        An exception, which is that of a filter or a mistake of ours, ends the exchange as well.
        """
        self.busy = True
        try:
            while True:
                if what == _PICK:
                    peer = self.pick()
                    if peer is None and self.upstream.queue is not None:
                        return self._queued()
                if not (self.ask() if what == _ASK else self.begin_try(peer)):
                    if self.missed:
                        self.missed = False
                        what = _ASK
                        continue
                    self._plan()
                    self.busy = False
                    return None
                failure = self.failure or self._unwanted()
                if failure is None:
                    result = self._answer()
                    if result is not None and not isinstance(result, int):
                        return self._in_fibre(result)
                    break
                result = self._next(failure)
                if result is not None:
                    break
                what = _PICK
        except ClientGone:
            result = self._client_gone()
        except BodyError as error:
            result = self._bad_body(error)
        except BaseException:
            self._end()
            raise
        self._end()
        return RESTART if result is None else result

    async def _queued(self) -> Result:
        """Wait for a peer, and go on."""
        queue = self.upstream.queue
        assert queue is not None
        self._enter_fibre()
        try:
            peer = await queue.wait(self)
        except ClientGone:
            gone = self._client_gone()
            self._end()
            return gone
        except BaseException:
            self._end()
            raise
        self.wake = None
        self.request.on_client_event = self
        result = self._go_on(_BEGIN, peer)
        if result is None:
            return DONE
        return result if isinstance(result, int) else await result

    async def _in_fibre(self, rest: Awaitable[Result]) -> Result:
        """What is left of an answer after its head. Cancelled: the connection is closed, the peer given back."""
        self._enter_fibre()
        try:
            return await rest
        except ClientGone:
            return self._client_gone()
        except BodyError as error:
            return self._bad_body(error)
        finally:
            self._end()

    def _enter_fibre(self) -> None:
        """From here on events wake the running fibre."""
        fibre = current_fibre()
        assert fibre is not None
        self.lane.unplan(self)
        self.planned = 0.0
        self.wake = self.request.on_client_event = fibre.wake
        if self.connection is not None:
            self.connection.stream.handler = fibre.wake

    def _bad_body(self, error: BodyError) -> int:
        request = self.request
        request.keepalive = False
        request.aborted = request.aborted or isinstance(error, ClientEnded)
        if error.message:
            self.log(error.level, error.message)
        if request.head_sent:
            request.log_status = request.log_status or request.response.status
            return request.abort()
        return error.status

    def _end(self) -> None:
        """The exchange has its result, or is given up; what stays are the records."""
        request = self.request
        if request is None:
            return
        self.lane.unplan(self)
        if request.on_client_event is (self if self.wake is None else self.wake):
            request.on_client_event = None
        self.release()
        # No cycle is left for the garbage collector.
        self.wake = self.choice = self.reader = self.frame = None
        self.request = None  # type: ignore[assignment]

    def _take_body_nowait(self) -> bool:
        """Settle what becomes of the client's body; False: it has to be read to its end, before anything else."""
        request = self.request
        if not self.settings.pass_request_body or request.discarding:
            if request.body is None:
                request.discard_body()
            return True
        body = request.body
        if body is not None and body.given:
            request.body = None
            request.discard_body()
            return True
        try:
            if (
                body is None
                and not self.settings.request_buffering
                and request.main is request
                and self.codec.streams_body(request)
            ):
                # A body that is here as a whole goes the usual way: with its length, and to another peer if need be.
                self.streaming = not read_body_part(request, request.location.core.client_body_buffer_size).complete
                return True
            return read_body_nowait(request)
        except (BodyError, OSError):
            return False  # read_body meets it again and says what it means

    def _client_gone(self) -> Result:
        request = self.request
        if not request.aborted:
            if request.output.client_state() != GIVEN_UP:
                self.log(
                    "info",
                    b"epoll_wait() reported that client prematurely closed connection, "
                    b"so upstream connection is closed too",
                    self.asking(),
                )
            request.aborted = request.head_sent
        return CLIENT_CLOSED

    # -- between tries -------------------------------------------------------------------------------------------

    def _may_go_on(self, condition: Condition) -> bool:
        if self.unprocessed:
            return not (self.sent and self.streaming)
        conf = self.conf
        if self.sent and self.request.method in NON_IDEMPOTENT_METHODS:
            condition |= Condition.NON_IDEMPOTENT
        return (
            conf.next_upstream & condition == condition
            and not (self.sent and self.streaming)
            and not (conf.next_upstream_timeout and self.lane.now - self.began >= conf.next_upstream_timeout)
        )

    def _next(self, condition: Condition) -> int | None:
        """Give the peer back after a failure; the status to end with, None to try another peer."""
        attempt = self.attempt
        connection = self.connection
        choice = self.choice
        assert choice is not None
        if attempt.ended < 0:
            attempt.ended = self.lane.fresh()
        if connection is not None:
            attempt.sent = connection.sent
        self._free(outcome_of(condition) if connection is None else connection.outcome(self, condition))
        if condition == Condition.TIMEOUT:
            self.log("error", b"upstream timed out (%b)" % error_words(OSError(errno.ETIMEDOUT, "")))
        if connection is not None:
            self.connection = None
            connection.close(attempt)
        self.check_client_error()
        status = attempt.status = status_of(condition)
        if not choice.tries or not self._may_go_on(condition):
            self.request.action = SENDING
            return status
        return None

    def check_client_error(self) -> None:
        if self.request.output.client_state() >= CONNECTION_FAILED or self.request.aborted:
            raise ClientGone

    def _unwanted(self) -> Condition | None:
        """Whether the status that came is one that another peer may better, and there is one to ask."""
        head = self.head
        assert head is not None and self.choice is not None
        if head.status < SPECIAL:
            return None
        condition = BY_STATUS.get(head.status)
        if condition is None or self.choice.tries <= 1 or not self._may_go_on(condition):
            return None
        return condition
