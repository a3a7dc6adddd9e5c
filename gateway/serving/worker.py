"""The blocks of a configuration at work in one process: one count of connections, one beginning, one end."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway._fast.process import give_memory_back
from gateway.core.descriptors import none_left
from gateway.core.logs import LEVELS, Log
from gateway.core.regex import MatchError

if TYPE_CHECKING:
    from gateway._fast.zones import WorkerCounters
    from gateway.core.listening import Listener
    from gateway.serving.cycle import BlockCycle
    from gateway.serving.listening import Listening

# How long a new worker waits for what its first requests need: one that fails at once serves nobody better.
_READY_WITHIN_S: Final = 0.1
_LOOK_S: Final = 0.001
# What is missing will be there again; a failure after this long without one is news.
_RUN_OUT: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_QUIET_S: Final = 10.0
# Kept for the moment at which there is no memory: enough for some arenas of Python's. Nobody touches the pages.
_RESERVE: Final = 4 * 1024 * 1024
_SAY_AGAIN_S: Final = 1.0
# nginx closes an eighth of those that wait, and at most so many.
_REUSED_AT_ONCE: Final = 32


class Spare(Protocol):
    """A connection that may be closed without a loss while it waits: nginx's reusable one."""

    @property
    def waits_since(self) -> float:
        """About when that began, in the lane's time; negative while it does not wait."""

    def reuse(self) -> None:
        """Close it, or begin to: worker_connections run short."""


class ClientConnection(Spare, Protocol):
    """What a block accepted: http's connections, and the sessions of stream."""

    stream: Any

    def close(self, reset: bool = False) -> None:
        """Close at once; a second call does nothing."""

    def retire(self) -> None:
        """The worker ends: close when what has begun is served."""

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""


class Worker:
    """Its connections on a lane, whichever block they are of; compiled with the types of worker.pxd.

    `close_listeners`, `close_idle` and `abort` are the steps of a graceful end.
    """

    def __init__(
        self,
        cycles: Sequence[BlockCycle],
        lane: Any,
        log: Log,
        number: int = 0,
        worker_connections: int = 512,
        taken: int = 0,
    ) -> None:
        """`taken`: how many of its worker_connections are the process's own (nginx's channel to the master)."""
        self.cycles = list(cycles)
        self.lane = lane
        self.main_log = log
        self.number = number
        lane.worker_connections = worker_connections
        lane.taken = taken
        lane.make_room = self.make_room
        self._spares: list[tuple[float, Spare]] = []
        self._told = -1  # the second of the last warning
        self._in_vain = -1.0  # when there were none, so that not every refused connection looks at all others
        self.connections: set[ClientConnection] = set()
        self.exiting = False
        self.counters: WorkerCounters | None = None  # the worker's row of shared words, as stub_status shows them
        self._sequence = 0
        self._listeners: list[Any] = []
        self._reserve: bytes | None = bytes(_RESERVE)
        self._memory_failed_at = -_SAY_AGAIN_S
        self._failed_at: dict[int, float] = {}  # by errno: when accept() failed so last
        self.nursery: Any = None

    def start(self, listeners: Iterable[Listener]) -> None:
        """Begin to accept on these sockets."""
        self.lane.on_crash = self._handler_crashed
        for cycle in self.cycles:
            cycle.worker = self
            for callback in cycle.on_worker_start:
                callback(self)
        if self._is_ready():
            self._listen(listeners)
        else:
            self.nursery.start_soon(self._listen_when_ready, list(listeners))

    def _is_ready(self) -> bool:
        return all([ready() for cycle in self.cycles for ready in cycle.ready])

    async def _listen_when_ready(self, listeners: list[Listener]) -> None:
        """Connections wait in the sockets' backlogs meanwhile."""
        import trio

        with trio.move_on_after(_READY_WITHIN_S):
            while not self._is_ready():
                await trio.sleep(_LOOK_S)
        if not self.exiting:
            self._listen(listeners)

    def _listen(self, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            self.lane.taken += 1
            owner, shared = listener.address.owner, listener.worker is None
            if listener.address.datagram:
                self._listeners.append(owner.cycle.receive(self, listener.fd, owner, shared))
                continue
            listens = self.lane.listen(listener.fd, self.acceptor(owner), exclusive=shared)
            listens.on_error = self._accept_failed
            self._listeners.append(listens)

    def _accept_failed(self, number: int) -> None:
        """nginx's line. What has run out is said once: it is tried again twice a second, until it works."""
        level = {errno.EMFILE: "crit", errno.ENFILE: "crit", errno.ECONNABORTED: "error"}.get(number, "alert")
        now = self.lane.now
        before, self._failed_at[number] = self._failed_at.get(number, -_QUIET_S), now
        if number in _RUN_OUT and now - before < _QUIET_S:
            return
        self.main_log.write(LEVELS[level], "accept4() failed", errno=number)
        why = none_left(number)
        if why is not None:
            self.main_log.write(LEVELS[level], f"cause: {why}; new connections wait meanwhile")

    def acceptor(self, listening: Listening) -> Callable[[int, bytes], None]:
        """What a connection to this socket comes to."""
        accept = listening.cycle.accept

        def accepted(fd: int, peer: bytes) -> None:
            if not self.admit():
                os.close(fd)
                return
            try:
                accept(self, fd, peer, listening)
            except BaseException:
                if self.counters is not None:
                    self.counters.closed()
                raise

        return accepted

    def admit(self) -> bool:
        """Count one more client; False if there is no room for it."""
        counters = self.counters
        if not self.lane.has_room():
            if counters is not None:
                counters.dropped()
            self.log("alert", b"%d worker_connections are not enough" % self.lane.worker_connections)
            return False
        if counters is not None:
            counters.accepted()
        return True

    def make_room(self) -> None:
        """Few connections are left: close some of those that wait, the longest first (ngx_drain_connections)."""
        spares = self._spares or self._find_spares()
        if not spares:
            return
        second = int(self.lane.now)
        if self._told != second:
            self._told = second
            number = self.lane.worker_connections
            self.log("warn", b"%d worker_connections are not enough, reusing connections" % number)
        wanted = max(1, min(_REUSED_AT_ONCE, len(spares) // 8))
        wanted -= self._reuse(spares, wanted)
        if wanted:
            # what was found earlier is busy by now
            self._reuse(self._find_spares(), wanted)

    def _find_spares(self) -> list[tuple[float, Spare]]:
        """All that wait, those that began last first; kept until it is used up, since finding them takes a while."""
        if self._in_vain == self.lane.now:
            return []
        found: list[tuple[float, Spare]] = []
        for connections in (self.connections, *[spares() for cycle in self.cycles for spares in cycle.spares]):
            found += [(since, connection) for connection in connections if (since := connection.waits_since) >= 0]
        found.sort(key=lambda pair: -pair[0])
        self._spares = found
        if not found:
            self._in_vain = self.lane.now
        return found

    def _reuse(self, spares: list[tuple[float, Spare]], wanted: int) -> int:
        count = 0
        while spares and count < wanted:
            since, connection = spares.pop()
            if connection.waits_since == since:
                connection.reuse()
                count += 1
        return count

    # -- called by connections -----------------------------------------------------------------------------------

    def next_connection(self) -> int:
        self._sequence += 1
        return self._sequence

    def head_begins(self) -> None:
        if self.counters is not None:
            self.counters.head_begins()

    def head_ends(self) -> None:
        if self.counters is not None:
            self.counters.head_ends()

    def request_begins(self) -> None:
        if self.counters is not None:
            self.counters.request_begins()

    def request_ends(self) -> None:
        if self.counters is not None:
            self.counters.request_ends()

    def connection_closed(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        if self.counters is not None:
            self.counters.closed()

    def gave_up(self, connection: ClientConnection, error: BaseException) -> None:
        """A handler of this connection raised, which is a bug: it ends, and is counted no more, whatever else fails."""
        self._crashed(connection, error)
        for step in (connection.abort, connection.close):
            try:
                step()
            except Exception as second:
                self._crashed(connection, second)
        connection.stream.close()
        if connection in self.connections:
            self.connection_closed(connection)

    def _crashed(self, connection: ClientConnection | None, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            self.out_of_memory()
            return
        number = getattr(connection, "number", 0)
        self.main_log.write(LEVELS["alert"], crash_text(error), connection=number)

    def _handler_crashed(self, error: BaseException, where: object) -> None:
        """Of a timer, a fibre or a stream that nobody answers for."""
        self._crashed(None, error)

    def out_of_memory(self) -> None:
        """Somebody met a MemoryError: say so, no more than once a second, and let go what is kept for such a moment.

        What the request of that moment held is freed with it; to end it properly takes a little memory, too.
        """
        self._reserve = None
        try:
            now = self.lane.fresh()
            if now - self._memory_failed_at >= _SAY_AGAIN_S:
                self._memory_failed_at = now
                self.main_log.write(LEVELS["emerg"], "malloc() failed", errno=errno.ENOMEM)
                self.lane.call_later(_SAY_AGAIN_S, self._reserve_again)
        except MemoryError:
            pass  # then it is not said

    def _reserve_again(self) -> None:
        give_memory_back()  # of the request that took it all, too
        try:
            self._reserve = bytes(_RESERVE)
        except MemoryError:
            self.lane.call_later(_SAY_AGAIN_S, self._reserve_again)

    def log(self, level: str, message: bytes) -> None:
        self.main_log.write(LEVELS[level], message)

    # -- the end -------------------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        return len(self.connections)

    def close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def close_idle(self) -> None:
        """Close what waits for a request; the others end with their request, or by themselves."""
        self.exiting = True
        for cycle in self.cycles:
            for callback in cycle.on_worker_stop:
                callback()
        for connection in list(self.connections):
            connection.retire()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        for connection in list(self.connections):
            connection.abort()


def crash_text(error: BaseException) -> str:
    """What a handler died of, in one line for an [alert]: a bug with its traceback."""
    if isinstance(error, MatchError):
        return str(error)  # no bug, but a pattern that backtracks without end
    trace = "".join(traceback.format_exception(error)).replace("\n", "; ")
    return "internal error: " + trace[-1500:]
