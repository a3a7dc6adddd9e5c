"""A session: one client's connection of the stream block, from accept() to its line in the log."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.lane import local_sockaddr, sockaddr_text
from gateway.core.logs import LEVELS, Log
from gateway.serving.prologue import NoHeader, read_proxy_header
from gateway.serving.worker import crash_text
from gateway.stream.module import BAD_REQUEST, DONE, INTERNAL_ERROR, SUCCESS, Handler, Result

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.core.regex import Captures
    from gateway.protocol.proxy_protocol import ProxyHeader
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker
    from gateway.stream.servers import AddressServer, Server

Number = int  # one of C's in what is compiled, see session.pxd
_NONE: Final[list[Handler]] = []
_UNIX: Final = struct.pack("=H", socket.AF_UNIX)  # how such a raw address begins


def address_text(address: tuple[bytes, int]) -> bytes:
    """An address with its port, as nginx writes it."""
    host, port = address
    if host.startswith(b"unix:"):
        return host
    return (b"[%b]:%d" if b":" in host else b"%b:%d") % (host, port)


class Session:
    """What evaluates variables asks it as it asks a Request. Compiled with the types of session.pxd.

    Its phases and its content run in place as long as nothing waits; an awaitable goes on in a fibre.
    """

    protocol = b"TCP"

    def __init__(self, worker: Worker, stream: Stream, peer: bytes, listening: Listening) -> None:
        self.worker = worker
        self.lane = worker.lane
        self.stream = stream
        self.raw_peer = peer
        self.listening = listening
        self.number = worker.next_connection()
        self.started: float = worker.lane.now
        self._peer: tuple[bytes, int] | None = None
        self.local: tuple[bytes, int] | None = None
        self.proxy: ProxyHeader | None = None  # what a PROXY protocol header told
        self.buffer = b""  # what came and nobody has used yet
        self.received = 0  # bytes of the client that were passed on
        self.status = 0
        self.values: dict[str, bytes | None] = {}
        self.state: dict[Any, Any] = {}
        self.passes = 0  # how often the connection was handed on before
        self.handed_over = False  # to another session or to http: it is theirs to log
        self.cleanups: list[Callable[[], None]] = []  # called when all else is done
        self.captures: Captures | None = None
        self.upstream: Any = None  # the relay to an upstream, once there is one
        self.action = b"initializing session"  # the "while …" of the error log
        self.address: AddressServer = listening.at(self)
        self.server = self.address.server
        self.fibre: Any = None  # what waits, waits in it
        self.over = False

    @property
    def connection(self) -> Session:
        """Where a Request has its connection, for getters that serve both."""
        return self

    @property
    def peer(self) -> tuple[bytes, int]:
        """The client's address and port; ("unix:", 0) on a unix socket. Made when it is asked for."""
        peer = self._peer
        if peer is None:
            peer = self._peer = sockaddr_text(self.raw_peer)
        return peer

    @peer.setter
    def peer(self, value: tuple[bytes, int]) -> None:
        self._peer = value

    def remote(self) -> tuple[bytes, int]:
        return self.peer

    def local_address(self) -> tuple[bytes, int]:
        local = self.local
        if local is None:
            local = self.local = self.find_local()
        return local

    def find_local(self) -> tuple[bytes, int]:
        try:
            return sockaddr_text(local_sockaddr(self.stream.fd))
        except OSError:
            return b"", 0

    def matched(self, captures: Captures) -> None:
        """A regular expression matched: $1 … $9 and its named groups have new values."""
        self.captures = captures
        for name in captures.named:
            self.values[name.lower()] = captures.group(name) or b""

    # -- the error log

    def logs(self, level: str) -> bool:
        """Whether the error log takes lines of this level."""
        log: Log = self.server.core.error_log
        return LEVELS[level] <= log.level

    def log(self, level: str, message: bytes | str, error: OSError | None = None, *, alone: bool = False) -> None:
        """A line with nginx's context; `alone`: without it."""
        number = LEVELS[level]
        log: Log = self.server.core.error_log
        if number > log.level:
            return
        log.write(
            number,
            message,
            errno=(error.errno or 0) if error is not None else 0,
            connection=self.number,
            context=b"" if alone else self._context(),
        )

    def _context(self) -> bytes:
        action = b" while " + self.action if self.action else b""
        context = b"%b, client: %b, server: %b" % (action, self.peer[0], self.listening.text)
        return context + self.upstream.log_context() if self.upstream is not None else context

    def _log_connected(self) -> None:
        if self.logs("info"):
            kind = b"udp " if self.protocol == b"UDP" else b""
            text = b"%bclient %b connected to %b" % (kind, address_text(self.peer), self.listening.text)
            self.log("info", text, alone=True)

    # -- its life

    def begin(self) -> None:
        """Begin, and go on in place as far as nothing has to be waited for."""
        try:
            self._log_connected()
            result = self._after_header() if self.address.proxy_protocol else self.run_phases()
        except Exception as error:
            self.failed(error)
            return
        self.go_on(result)

    def go_on(self, result: Result | Awaitable[int]) -> None:
        """A content or a phase has come so far: the session's status, DONE, or what goes on in a fibre."""
        if result is None:
            return
        if not isinstance(result, int):
            self.fibre = self.lane.spawn(self._in_fibre(result), self.crashed)
        elif result != DONE:
            self.finish(result)

    def finish(self, status: Number) -> None:
        """The session ends with this status."""
        self.status = status
        self._end()

    def failed(self, error: Exception) -> None:
        """A handler raised, which is a bug: the session ends, and the log says why."""
        try:
            self.finish(INTERNAL_ERROR)
        finally:
            self.crashed(error)

    async def _in_fibre(self, rest: Awaitable[int]) -> None:
        """What has to wait. Cancelled, the session ends with what it has: all is closed, the log has its line."""
        ended = True
        try:
            result = await rest
            ended = result != DONE
            if ended:
                self.status = result
        except Exception:
            self.status = INTERNAL_ERROR
            raise
        finally:
            if ended:
                self._end()

    async def _after_header(self) -> int:
        self.action = b"reading PROXY protocol"
        deadline = self.lane.now + self.server.core.proxy_protocol_timeout
        try:
            self.proxy, self.buffer = await read_proxy_header(self, deadline)
        except NoHeader as error:
            return BAD_REQUEST if error.broken else SUCCESS
        self.action = b"initializing session"
        result = self.run_phases()
        return result if isinstance(result, int) else await result

    def run_phases(self) -> int | Awaitable[int]:
        """All of them, and the content: the session's status, DONE, or what has to wait first."""
        return self._run_phases(-1, 0, _NONE)

    def _run_phases(self, phase: Number, index: Number, handlers: list[Handler]) -> int | Awaitable[int]:
        """From this handler of the phase on."""
        while True:
            while index < len(handlers):
                made = handlers[index](self)
                index += 1
                if made is None:
                    continue
                if not isinstance(made, int):
                    return self._wait_in_phase(made, phase, index, handlers)
                if made >= SUCCESS:
                    return made
                break
            phase += 1
            # a name may have switched to another server
            if phase >= len(self.server.plan.phases):
                return self._run_content()
            handlers = self.server.plan.phases[phase]
            index = 0

    async def _wait_in_phase(
        self, made: Awaitable[Result], phase: int, index: int, handlers: list[Handler]
    ) -> int:
        result = await made
        if result is not None:
            if result >= SUCCESS:
                return result
            index = len(handlers)
        rest = self._run_phases(phase, index, handlers)
        return rest if isinstance(rest, int) else await rest

    def _run_content(self) -> int | Awaitable[int]:
        plan = self.server.plan
        if self.server.core.tcp_nodelay and not self.on_unix():
            self.stream.nodelay()
        content = plan.content
        return INTERNAL_ERROR if content is None else content(self)

    def on_unix(self) -> bool:
        """Whether the client came over a unix socket."""
        return self.raw_peer.startswith(_UNIX)

    def switch(self, server: Server | None) -> None:
        """The client has asked for this one by its name; None: nobody has that name."""
        if server is not None:
            self.server = server

    # of a connection, as its worker sees it

    @property
    def waits_since(self) -> float:
        return -1.0  # for nothing that could be done again

    def reuse(self) -> None:
        """Never asked."""

    def retire(self) -> None:
        """The worker ends: a session goes on until it ends by itself, as in nginx."""

    def close(self, reset: bool = False) -> None:
        """Cut short, with what it has in the log."""
        if self.fibre is not None and not self.fibre.done:
            self.fibre.cancel()
        else:
            self._end()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        if not self.over:
            self.status = SUCCESS
            self.log("info", b"shutdown timeout")
            self.close()

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        try:
            if self.upstream is not None:
                self.upstream.release()
        finally:
            self._leave()

    def _leave(self) -> None:
        for handler in () if self.handed_over else self.server.plan.log_handlers:
            try:
                handler(self)
            except Exception as error:
                self.crashed(error)
        if not self.handed_over:
            self.stream.close()
        for cleanup in self.cleanups:
            try:
                cleanup()
            except Exception as error:
                self.crashed(error)
        self.upstream = None  # it knows the session as well: nobody has to find such a pair
        self.worker.connection_closed(self)

    def crashed(self, error: BaseException) -> None:
        """A bug in a handler: its traceback in the error log."""
        if isinstance(error, MemoryError):
            self.worker.out_of_memory()
            return
        self.log("alert", crash_text(error).encode("utf-8", "surrogateescape"))
