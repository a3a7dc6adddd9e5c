"""The http block of one loaded configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.stream import Stream
from gateway.core.logs import ERROR, LEVELS, Log
from gateway.http.connection import Connection, accept, begin
from gateway.http.listening import HttpListening
from gateway.http.paths import NoPath
from gateway.http.plan import Plan, make_plan, server_handlers
from gateway.serving.cycle import BlockCycle
from gateway.serving.listening import Listening
from gateway.serving.worker import Worker, crash_text

if TYPE_CHECKING:
    from gateway.core.log_forms import Fields
    from gateway.core.tls_counts import TlsCounts
    from gateway.http.diagnosis import Diagnosis, FailurePages, Notes
    from gateway.http.locations import Location
    from gateway.http.module import HttpModule
    from gateway.http.part import Part
    from gateway.http.request import Request
    from gateway.http.servers import Server

# Lines of a request that is refused by its head, or by its certificate: news to nginx, and yet with a cause.
_REFUSED: Final = (b"client sent ", b"client attempted ", b"client SSL certificate ")


class HttpCycle(BlockCycle):
    """What all requests of one configuration share."""

    name = "http"
    servers: list[Server]
    listenings: list[HttpListening]

    def __init__(self, modules: Sequence[HttpModule], prefix: str) -> None:
        super().__init__(modules, prefix)
        self.tls_counts: TlsCounts | None = None  # set where they are shown
        self.diagnosis: Diagnosis | None = None  # set from above, by what serves
        # What proves to an authority that a name is ours: chain and key (ACME's tls-alpn-01), set where that is done.
        self.name_proof: Callable[[bytes], str | None] | None = None
        self.failure_pages: FailurePages | None = None  # set from above, where there are any
        self.history: Notes | None = None  # set where requests are kept

    accept = accept

    def take_over(
        self, worker: Worker, stream: Stream, data: bytes, peer: bytes, listening: Listening, passes: int
    ) -> None:
        assert isinstance(listening, HttpListening)
        connection = Connection(worker, stream, peer, listening)
        connection.buffer = data
        if type(stream) is not Stream:
            connection.scheme = b"https"  # whether or not the socket is one for TLS
            if connection.handshake is not None:
                connection.handshake.secured = True
        begin(connection)

    def receive(self, worker: Worker, fd: int, listening: Listening, exclusive: bool) -> Any:
        from gateway.http.quic_listener import QuicListener

        assert isinstance(listening, HttpListening)
        return QuicListener(worker, fd, listening)

    def request_id(self, request: Request) -> bytes | None:
        """$request_id."""
        variable = self.variables.find("request_id")
        return variable.get(request) if variable is not None else None

    def plan_of(self, location: Location) -> Plan:
        if location.plan is None:
            location.plan = make_plan(location, self.modules)
        return location.plan

    def server_handlers(self, server: Server) -> tuple[tuple[Part, ...], ...]:
        """A server's own, of the phases before its location is chosen."""
        return server_handlers(server, self.modules)

    def log_request(self, request: Request, level: str, message: bytes | str, error: OSError | None = None) -> None:
        """A line with nginx's context: client, server, request, upstream, host, referrer."""
        log: Log = request.location.core.error_log
        number = LEVELS[level]
        if number > log.level and self.failure_pages is None:
            return
        connection = request.connection
        text = message.encode("utf-8", "surrogateescape") if isinstance(message, str) else message
        # an idle tunnel is news to nginx, too
        explained = number <= ERROR or text.startswith(_REFUSED) or text.endswith(b"upgraded connection")
        if self.diagnosis is not None and (number > log.level or not explained):
            self.diagnosis.overhear(request, text, error)
        if number > log.level:
            return
        context = [b", client: ", connection.remote()[0], b", server: ", request.server.server_name]
        if request.action and text.find(b" while ") < 0:  # `in` makes an exception first
            context.insert(0, request.action)
        line = request.main.head.request_line
        if line:
            context += b', request: "', line, b'"'
        if request.parent is not None:
            context += b', subrequest: "', request.uri, b'"'
        upstream = request.upstream
        if upstream is not None:
            target = upstream.log_target()
            if target:
                context += b', upstream: "', target, b'"'
        host = request.head.host
        if host is not None:
            context += b', host: "', host, b'"'
        referer = request.head.get(b"referer")
        if referer is not None:
            context += b', referrer: "', referer, b'"'
        log.write(
            number,
            text,
            errno=(error.errno or 0) if error is not None else 0,
            connection=connection.number,
            context=b"".join(context),
            fields=fields_of(request) if log.has_forms else (),
        )
        cause: bytes | None = None
        if self.diagnosis is not None and explained:
            cause = self.diagnosis.explain(request, text, error)
            if cause is not None:
                fields = fields_of(request) if log.has_forms else ()
                log.write(number, b"cause: " + cause, connection=connection.number, fields=fields)
        if self.history is not None:
            if cause is None and self.diagnosis is not None and explained:
                cause = self.diagnosis.reason(request, text, error)
            why = f" ({error.errno}: {os.strerror(error.errno)})" if error is not None and error.errno else ""
            self.history.note(request, level, text + why.encode("utf-8", "surrogateescape"), cause)

    def crashed(self, request: Request, error: BaseException) -> None:
        """A bug in a handler: its traceback in the error log; the client gets a 500."""
        if isinstance(error, NoPath):
            return
        if isinstance(error, MemoryError):
            request.connection.worker.out_of_memory()
            return
        self.log_request(request, "alert", crash_text(error))


def fields_of(request: Request) -> Fields:
    """What an error's line says of the request, one by one, with its id."""
    found: list[tuple[str, bytes]] = [
        ("request_id", request.cycle.request_id(request) or b""),
        ("client", request.connection.remote()[0]),
        ("server", request.server.server_name),
    ]
    upstream = request.upstream
    for name, value in (
        ("action", request.action.removeprefix(b" while ")),
        ("request", request.main.head.request_line),
        ("subrequest", request.uri if request.parent is not None else None),
        ("upstream", upstream.log_target() if upstream is not None else None),
        ("host", request.head.host),
        ("referrer", request.head.get(b"referer")),
    ):
        if value:
            found.append((name, value))
    return found
