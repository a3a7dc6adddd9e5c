"""The client at the other end of a connection, as its requests see it: addresses, counts, the end of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.lane import local_sockaddr, sockaddr_text
from gateway.http.module import Count
from gateway.http.output import Output
from gateway.http.post_action import PostAction
from gateway.http.status import TO_HTTPS

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead
    from gateway._fast.stream import Stream
    from gateway.http.cycle import HttpCycle
    from gateway.http.handshake import Handshake
    from gateway.http.listening import HttpListening
    from gateway.http.request import Request
    from gateway.http.servers import AddressServers, Server
    from gateway.serving.worker import Worker

# What a request does until it is served, as the error log says it: also what is asked of the client's certificate.
READING_HEADERS: Final = b" while reading client request headers"


class Client(Output):
    """What HTTP/1 and HTTP/2 share of a client's connection; compiled with the types of client.pxd."""

    def __init__(self, worker: Worker, stream: Stream, peer: Any, listening: HttpListening, number: int) -> None:
        self.begin_client(worker, stream, peer, listening, number)

    def begin_client(
        self, worker: Worker, stream: Stream, peer: Any, listening: HttpListening, number: Count
    ) -> None:
        """What __init__ does, as a call of C's."""
        self.worker = worker
        self.lane = worker.lane
        self.stream = stream
        self.peer: Any = peer  # raw sockaddr until somebody asks
        self.listening = listening
        self.number = number
        self.requests: int = 0
        self.started: float = worker.lane.fresh()
        self.scheme = b"http"
        self.local: tuple[bytes, int] | None = None
        self.proxy: Any = None  # what a PROXY protocol header told
        self.server: Server = listening.servers_for(self).default
        self.handshake: Handshake | None = None  # of a `listen … ssl`

    def get_connection(self) -> Client:
        return self

    @property
    def cycle(self) -> HttpCycle:
        return self.listening.cycle  # type: ignore[no-any-return]

    @property
    def servers(self) -> AddressServers:
        return self.listening.servers_for(self)

    def remote(self) -> tuple[bytes, int]:
        """The client's address and port; ("unix:", 0) on a unix socket."""
        peer = self.peer
        if type(peer) is bytes:
            peer = self.peer = sockaddr_text(peer)
        return peer  # type: ignore[no-any-return]

    def local_address(self) -> tuple[bytes, int]:
        local = self.local
        if local is None:
            try:
                local = sockaddr_text(local_sockaddr(self.stream.fd))
            except OSError:
                local = b"", 0
            self.local = local
        return local

    @property
    def server_addr(self) -> bytes:
        return self.local_address()[0]

    @property
    def server_port(self) -> int:
        return self.local_address()[1]

    def head_read(self, request: Request, head: RequestHead, servers: AddressServers) -> None:
        """What the request takes from a head that is whole."""
        request.method = head.method
        request.uri = head.get_uri()
        request.args = head.get_args()
        request.valid_unparsed_uri = head.has_path()  # "http://host?args" is none to pass on as it came
        request.http_version = head.version
        if head.method == b"HEAD":
            request.header_only = True
        host = request.host = head.hostname
        if servers.regexes and host:
            servers.find(host, request)  # for the captures of a server name

    def fields_ignored(self, request: Request, notes: list[str]) -> None:
        """What was left out of a head that is good: ignore_invalid_headers, underscores_in_headers."""
        request.action = READING_HEADERS
        for note in notes:
            request.log("info", note)
        request.action = b""

    def head_refused(self, request: Request) -> None:
        """A request that never became one takes what was understood of it: for its error page, and the log."""
        head = request.head
        request.method = head.method or b""
        request.http_version = head.version or 10
        request.uri = head.uri or b""
        request.args = head.args or b""
        request.host = head.hostname or b""
        request.plan = self.listening.cycle.plan_of(request.server.root)
        request.header_only = request.method == b"HEAD"

    # of a connection, as its worker sees it (abc's metaclass is not to be had for a class with C methods)

    @property
    def waits_since(self) -> float:
        """When it began to wait, for a request or for the client's end; negative while something is under way."""
        raise NotImplementedError  # abstract: each protocol has its own

    def reuse(self) -> None:
        """worker_connections run short."""
        self.close()

    def close(self, reset: bool = False) -> None:
        """Close at once; a second call does nothing."""
        raise NotImplementedError  # abstract: each protocol has its own

    def retire(self) -> None:
        """The worker ends: close when what has begun is served."""
        raise NotImplementedError  # abstract: each protocol has its own

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        raise NotImplementedError  # abstract: each protocol has its own

    def crashed(self, error: Exception) -> None:
        """A handler of its events raised."""
        self.worker.gave_up(self, error)

    def take_input(self) -> bytes:
        """What came and was not used yet, for who goes on with the stream himself."""
        return b""

    def may_ask(self, request: Request) -> bool:
        """On a `listen … ssl`: whether the client spoke TLS, and its certificate will do; if not, it is told."""
        assert self.handshake is not None
        server = request.server
        refused: int | None = None
        if not self.handshake.secured:
            request.action = READING_HEADERS
            request.log("info", b"client sent plain HTTP request to HTTPS port")
            refused = TO_HTTPS
        elif server.tls is not None and server.tls.verify:
            from gateway.http.server_tls import check

            request.action = READING_HEADERS
            refused = check(server.tls, request)
            request.action = b""
        if refused is None:
            return True
        request.action = b""
        request.enter(server.root)
        request.drive(refused)
        return False

    def request_ends(self, request: Request) -> None:
        """The response is through, or was cut: the request ends, unless there is a post_action."""
        if request.location.core.post_action is not None:
            request.output = PostAction(request)
        else:
            self.log_end(request)
        self.worker.request_ends()

    def log_end(self, request: Request) -> None:
        """The log phase and what handlers asked to be done at the end; once for each request."""
        request.action = b" while logging request"
        if request.plan is not None and request.plan.log is not None:  # it may have failed to be made
            request.plan.log.run(request)
        request.clean_up()
