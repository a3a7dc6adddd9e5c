"""The http part of one loaded configuration, and its life in one worker."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.lane import sockaddr_text
from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import ERROR, LEVELS, Log
from gateway.core.regex import MatchError
from gateway.core.variables import Registry
from gateway.http.connection import Connection
from gateway.http.listening import Listening
from gateway.http.paths import NoPath
from gateway.http.plan import Plan, make_plan

if TYPE_CHECKING:
    from gateway.core.tls_counts import TlsCounts
    from gateway.http.client import Client
    from gateway.http.diagnosis import Diagnosis
    from gateway.http.locations import Location
    from gateway.http.module import HttpModule
    from gateway.http.request import Request
    from gateway.http.servers import Server


# How long a new worker waits for what its first requests need: one that fails at once serves nobody better.
_READY_WITHIN_S: Final = 0.1
_LOOK_S: Final = 0.001


class HttpCycle:
    """What all requests of one configuration share."""

    def __init__(self, modules: Sequence[HttpModule], prefix: str) -> None:
        self.modules = tuple(modules)
        self.prefix = prefix.encode("utf-8", "surrogateescape")
        self.variables = Registry()
        self.servers: list[Server] = []
        self.listenings: list[Listening] = []
        self.scope: Any = None  # the http block's scope: modules find their main settings there
        self.upstreams: Any = None  # the upstream module's table
        self.worker: Worker | None = None
        self.on_worker_start: list[Callable[[Worker], None]] = []  # of modules: health checks, resolvers, flush timers
        self.on_worker_stop: list[Callable[[], None]] = []
        self.on_worker_death: list[Callable[[int], None]] = []  # in the master, with the dead worker's pid
        # Of modules: whether what a first request needs is there; a worker waits a moment for it before it accepts.
        self.ready: list[Callable[[], bool]] = []
        self.on_reopen: list[Callable[[], None]] = []
        self.tls_counts: TlsCounts | None = None  # set where they are shown
        self.diagnosis: Diagnosis | None = None  # set from above, by what serves

    @property
    def listens(self) -> list[ListenAddress]:
        return [listening.address for listening in self.listenings]

    def plan_of(self, location: Location) -> Plan:
        if location.plan is None:
            location.plan = make_plan(location, self.modules)
        return location.plan

    def log_request(self, request: Request, level: str, message: bytes | str, error: OSError | None = None) -> None:
        """A line with nginx's context: client, server, request, upstream, host, referrer."""
        log: Log = request.location.core.error_log
        number = LEVELS[level]
        if number > log.level:
            return
        connection = request.connection
        text = message.encode("utf-8", "surrogateescape") if isinstance(message, str) else message
        context = b", client: %s, server: %s" % (connection.remote()[0], request.server.server_name)
        line = request.main.head.request_line
        if line:
            context += b', request: "%s"' % line
        if request.parent is not None:
            context += b', subrequest: "%s"' % request.uri
        upstream = request.upstream
        if upstream is not None:
            target = upstream.log_target()
            if target:
                context += b', upstream: "%s"' % target
        host = request.head.host
        if host is not None:
            context += b', host: "%s"' % host
        referer = request.head.get(b"referer")
        if referer is not None:
            context += b', referrer: "%s"' % referer
        log.write(
            number,
            text,
            errno=(error.errno or 0) if error is not None else 0,
            connection=connection.number,
            context=context,
        )
        # an idle tunnel is the one thing with a cause that nginx tells as news, not as an error
        if self.diagnosis is not None and (number <= ERROR or text.endswith(b"upgraded connection")):
            cause = self.diagnosis.explain(request, text, error)
            if cause is not None:
                log.write(number, b"cause: " + cause, connection=connection.number)

    def crashed(self, request: Request, error: BaseException) -> None:
        """A bug in a handler: its traceback in the error log; the client gets a 500."""
        if isinstance(error, NoPath):
            return
        if isinstance(error, MatchError):
            self.log_request(request, "alert", str(error))  # no bug, but a pattern that backtracks without end
            return
        trace = "".join(traceback.format_exception(error)).replace("\n", "; ")
        self.log_request(request, "alert", "internal error: " + trace[-1500:])


class Worker:
    """The http part at work: its connections on a lane. `close_idle` and `abort` are the steps of a graceful end."""

    def __init__(self, cycle: HttpCycle, lane: Any, log: Log, number: int, worker_connections: int) -> None:
        self.cycle = cycle
        self.lane = lane
        self.main_log = log
        self.number = number
        self.worker_connections = worker_connections
        self.connections: set[Client] = set()
        self.exiting = False
        self.counters: Any = None  # stub_status's shared words, if the module is used
        self._sequence = 0
        self._listeners: list[Any] = []
        self.nursery: Any = None

    def start(self, listeners: Iterable[Listener]) -> None:
        """Begin to accept on these sockets."""
        self.cycle.worker = self
        for callback in self.cycle.on_worker_start:
            callback(self)
        if self._is_ready():
            self._listen(listeners)
        else:
            self.nursery.start_soon(self._listen_when_ready, list(listeners))

    def _is_ready(self) -> bool:
        return all(ready() for ready in self.cycle.ready)

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
            listening = listener.address.owner
            self._listeners.append(
                self.lane.listen(listener.fd, self._acceptor(listening), exclusive=listener.worker is None)
            )

    def _acceptor(self, listening: Listening) -> Callable[[int, bytes], None]:
        def accepted(fd: int, peer: bytes) -> None:
            if self.counters is not None:
                self.counters.accepted()
            if len(self.connections) >= self.worker_connections:
                self._make_room()
                if len(self.connections) >= self.worker_connections:
                    os.close(fd)
                    if self.counters is not None:
                        self.counters.closed()
                    return
            Connection(self, fd, peer, listening).begin()

        return accepted

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

    def connection_closed(self, connection: Client) -> None:
        if self.counters is not None:
            self.counters.closed()

    def address_text(self, raw: bytes) -> tuple[bytes, int]:
        text: tuple[bytes, int] = sockaddr_text(raw)
        return text

    def local_address(self, connection: Client) -> tuple[bytes, int]:
        fd = connection.stream.fd
        if fd < 0:
            return b"", 0
        borrowed = socket.socket(fileno=fd)
        try:
            name = borrowed.getsockname()
            family = borrowed.family
        except OSError:
            return b"", 0
        finally:
            borrowed.detach()
        if family == socket.AF_UNIX:
            return b"unix:" + (name.encode() if isinstance(name, str) else bytes(name)), 0
        return name[0].encode(), name[1]

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
        """Close connections between two requests; the others end with their request."""
        self.exiting = True
        for callback in self.cycle.on_worker_stop:
            callback()
        for connection in list(self.connections):
            connection.retire()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        for connection in list(self.connections):
            connection.abort()
