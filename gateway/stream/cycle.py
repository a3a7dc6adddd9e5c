"""The stream part of one loaded configuration, and its life in one worker."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import LEVELS
from gateway.core.regex import MatchError
from gateway.core.variables import Registry
from gateway.stream.session import Session

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.stream.module import StreamModule
    from gateway.stream.servers import Listening, Server


class StreamCycle:
    """What all sessions of one configuration share."""

    def __init__(self, modules: Sequence[StreamModule], prefix: str) -> None:
        self.modules = tuple(modules)
        self.prefix = prefix.encode("utf-8", "surrogateescape")
        self.variables = Registry()
        self.servers: list[Server] = []
        self.listenings: list[Listening] = []
        self.scope: Any = None  # the stream block's scope: modules find their main settings there
        self.upstreams: Any = None  # the stream_upstream module's table
        self.worker: StreamWorker | None = None
        self.on_worker_start: list[Callable[[Any], None]] = []
        self.on_worker_stop: list[Callable[[], None]] = []
        self.on_worker_death: list[Callable[[int], None]] = []  # in the master, with the dead worker's pid
        self.on_reopen: list[Callable[[], None]] = []

    @property
    def listens(self) -> list[ListenAddress]:
        return [listening.address for listening in self.listenings]


class StreamWorker:
    """The stream part at work: its sessions on a lane."""

    def __init__(
        self, cycle: StreamCycle, lane: Any, log: Log, worker_connections: int, beside: Any = None
    ) -> None:
        self.cycle = cycle
        self.lane = lane
        self.main_log = log
        self.worker_connections = worker_connections
        # the http block's Worker in this process: connections of both are counted together, and have one row of numbers
        self.beside = beside
        self.sessions: set[Session] = set()
        self.exiting = False
        self.counters: Any = None  # the worker's shared words
        self.nursery: Any = None
        self._sequence = 0
        self._listeners: list[Any] = []

    def start(self, listeners: Iterable[Listener]) -> None:
        """Begin to accept on these sockets."""
        self.cycle.worker = self
        for callback in self.cycle.on_worker_start:
            callback(self)
        for listener in listeners:
            self._listeners.append(
                self.lane.listen(
                    listener.fd, self.acceptor(listener.address.owner), exclusive=listener.worker is None
                )
            )

    def acceptor(self, listening: Listening) -> Callable[[int, bytes], None]:
        """What a connection to this socket comes to."""

        def accepted(fd: int, peer: bytes) -> None:
            if self.counters is not None:
                self.counters.accepted()
            others = self.beside.active if self.beside is not None else 0
            if len(self.sessions) + others >= self.worker_connections:
                self.main_log.warn(f"{self.worker_connections} worker_connections are not enough")
                os.close(fd)
                if self.counters is not None:
                    self.counters.closed()
                return
            session = Session(self, fd, peer, listening)
            self.sessions.add(session)
            session.fibre = self.lane.spawn(session.run(), session.crashed)

        return accepted

    def log(self, level: str, message: bytes) -> None:
        self.main_log.write(LEVELS[level], message)

    # -- called by sessions --------------------------------------------------------------------------------------

    def next_connection(self) -> int:
        if self.beside is not None:
            return self.beside.next_connection()  # type: ignore[no-any-return]
        self._sequence += 1
        return self._sequence

    def session_closed(self, session: Session) -> None:
        self.sessions.discard(session)
        if self.counters is not None:
            self.counters.closed()

    def crashed(self, session: Session, error: BaseException) -> None:
        """A bug in a handler: its traceback in the error log."""
        if isinstance(error, MatchError):
            session.log("alert", str(error).encode())  # no bug, but a pattern that backtracks without end
            return
        trace = "".join(traceback.format_exception(error)).replace("\n", "; ")
        session.log("alert", ("internal error: " + trace[-1500:]).encode("utf-8", "surrogateescape"))

    # -- the end -------------------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        return len(self.sessions)

    def close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def close_idle(self) -> None:
        """The worker ends: sessions go on until they end by themselves, as in nginx."""
        self.exiting = True
        for callback in self.cycle.on_worker_stop:
            callback()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        for session in list(self.sessions):
            session.cut()
