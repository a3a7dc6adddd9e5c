"""The blocks of a configuration at work in one process: one count of connections, one beginning, one end."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.core.logs import LEVELS, Log
from gateway.core.regex import MatchError

if TYPE_CHECKING:
    from gateway.core.listening import Listener
    from gateway.serving.cycle import Cycle
    from gateway.serving.listening import Listening

# How long a new worker waits for what its first requests need: one that fails at once serves nobody better.
_READY_WITHIN_S: Final = 0.1
_LOOK_S: Final = 0.001


class ClientConnection(Protocol):
    """What a block accepted: http's connections, and the sessions of stream."""

    stream: Any

    @property
    def idle(self) -> bool:
        """Whether it waits for a request, so that it may be closed without a loss."""

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
        self, cycles: Sequence[Cycle], lane: Any, log: Log, number: int = 0, worker_connections: int = 512
    ) -> None:
        self.cycles = list(cycles)
        self.lane = lane
        self.main_log = log
        self.number = number
        self.worker_connections = worker_connections
        self.connections: set[ClientConnection] = set()
        self.exiting = False
        self.counters: Any = None  # the worker's row of shared words, as stub_status shows them
        self._sequence = 0
        self._listeners: list[Any] = []
        self.nursery: Any = None

    def start(self, listeners: Iterable[Listener]) -> None:
        """Begin to accept on these sockets."""
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
            owner, shared = listener.address.owner, listener.worker is None
            if listener.address.datagram:
                self._listeners.append(owner.cycle.receive(self, listener.fd, owner, shared))
            else:
                self._listeners.append(self.lane.listen(listener.fd, self.acceptor(owner), exclusive=shared))

    def acceptor(self, listening: Listening) -> Callable[[int, bytes], None]:
        """What a connection to this socket comes to."""
        accept = listening.cycle.accept

        def accepted(fd: int, peer: bytes) -> None:
            if self.admit():
                accept(self, fd, peer, listening)
            else:
                os.close(fd)

        return accepted

    def admit(self) -> bool:
        """Count one more client; False if there is no room for it."""
        if self.counters is not None:
            self.counters.accepted()
        if len(self.connections) >= self.worker_connections:
            self._make_room()
            if len(self.connections) >= self.worker_connections:
                if self.counters is not None:
                    self.counters.closed()
                return False
        return True

    def _make_room(self) -> None:
        """worker_connections is reached: close the idle connections that have waited longest, as nginx does."""
        idle = sorted((c for c in self.connections if c.idle), key=lambda c: c.stream.deadline)
        self.log("warn", b"%d worker_connections are not enough, reusing connections" % self.worker_connections)
        for connection in idle[:32]:
            connection.close()

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
