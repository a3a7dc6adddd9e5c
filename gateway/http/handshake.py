"""From accept() to the first request on a `listen … ssl`: PROXY protocol, then the TLS handshake.

OpenSSL says which server the client asks for before it has answered anything, so that all of that server's TLS holds:
certificates, protocols, verification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.host import validate_host
from gateway._fast.request_head import RequestHead
from gateway._fast.tls import secure
from gateway.core.logs import CRIT, ERROR, INFO
from gateway.core.tls_objects import pair_for
from gateway.http.prologue import read_proxy_header
from gateway.http.request import Request

if TYPE_CHECKING:
    from gateway._fast.tls_engine import Engine
    from gateway.http.connection import Connection
    from gateway.http.servers import Server

_WHILE: Final = b" while SSL handshaking"

# Protocols by ALPN, as nginx offers them: with HTTP/2, and without.
_ALPN_HTTP1: Final = b"\x08http/1.1\x08http/1.0\x08http/0.9"
_ALPN_HTTP2: Final = b"\x02h2" + _ALPN_HTTP1
_ALPN_PROOF: Final = b"\x0aacme-tls/1"


class Handshake:
    """Does it for one connection, on each event until it is over; and answers what OpenSSL asks of it.

    Compiled with the types of handshake.pxd.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection: Any = connection  # until let_go()
        self.secured = False  # the stream is a TlsStream
        self.validating = False  # a responder was asked for the client's certificate
        self.validated = False
        self.proving = False  # it is an authority's, which looks at the certificate and no more (tls-alpn-01)
        self.server: Server = connection.server  # by the name that the client asked for
        self.name: bytes | None = None  # of the server, as the client gave it, if a server has it

    def go_on(self) -> bool:
        """Do what can be done now. True when requests can be read; else more is needed, or the connection is closed."""
        connection = self.connection
        try:
            if not self.secured:
                if not self._begin():
                    return False
                if not self.secured:
                    return True  # plain HTTP, whose answer says that this is a port for HTTPS
            if self.validating:
                return False
            stream = connection.stream
            if not stream.handshake():
                return False
            if self.proving:
                connection.close()
                return False
            if not self.validated and self._validates(stream):
                return False
            counts = connection.cycle.tls_counts
            if counts is not None:
                counts.done(reused=stream.ssl.session_reused)
        except OSError as error:
            self._failed(error)
            return False
        connection.scheme = b"https"
        connection.server = self.server
        return True

    def speaks_http2(self) -> bool:
        """Whether the client and we have agreed on HTTP/2 (ALPN)."""
        if not self.secured:
            return False
        stream = self.connection.stream
        return stream.ssl.speaks(b"h2")  # type: ignore[no-any-return]

    def let_go(self) -> None:
        """It is over, or the connection closed, which has this object: no cycle is left for the garbage collector."""
        if self.secured:
            stream = self.connection.stream
            stream.ssl.chooser = None
        self.connection = None

    def timed_out(self) -> None:
        """The connection's deadline has passed, which nobody but us hears of."""
        counts = self.connection.cycle.tls_counts
        if counts is not None and self.secured:
            counts.timed_out()
        self.log(INFO, b"client timed out (110: Connection timed out)" + _WHILE)

    def log(self, level: int, text: bytes, error: OSError | None = None) -> None:
        _log(self.connection, self.server, level, text, error)

    def _begin(self) -> bool:
        """Read up to the first byte of TLS, and put TLS over the stream; True too for what is plain HTTP."""
        connection = self.connection
        stream = connection.stream
        while True:
            if connection.listening.proxy_protocol and connection.proxy is None:
                if connection.buffer and read_proxy_header(connection):
                    continue  # the hello came with it
                if connection.closed:
                    return False
            elif connection.buffer:
                # SSLv2, or a record of a handshake
                first = connection.buffer[0]
                return self._secure() if first & 0x80 or first == 0x16 else True
            if not stream.readable:
                return False
            data = stream.recv()
            if data is None:
                return False
            if not data:
                self.log(INFO, b"client closed connection" + _WHILE)
                connection.close()
                return False
            connection.buffer = connection.buffer + data if connection.buffer else data

    def _secure(self) -> bool:
        connection = self.connection
        tls: Any = connection.server.tls
        if connection.server.root.core.tcp_nodelay:
            connection.nodelay = True
            connection.stream.nodelay()
        connection.stream = stream = secure(connection.stream, tls.context, connection.buffer, tls.record)
        connection.buffer = b""
        self.secured = True
        engine = stream.ssl
        self._offer(engine, self.server)
        # where there is nobody to choose, it may still have to say no, or which certificate
        if not connection.listening.servers_for(connection).single or tls.rejects or tls.varying:
            engine.chooser = self
        return True

    def _validates(self, stream: Any) -> bool:
        """Ask whether the client's certificate was revoked (ssl_ocsp); False if there is nothing to ask."""
        tls: Any = self.server.tls
        if tls is None or tls.ocsp is None:
            return False
        engine = stream.ssl
        if not tls.ocsp.concerns(engine):
            return False
        self.validating = True
        tls.ocsp.begin(engine, self.connection.worker, self._validated)
        return self.validating

    def _validated(self) -> None:
        self.validating = False
        self.validated = True
        if self.connection is not None and not self.connection.closed:
            self.connection.begin()

    def _offer(self, engine: Engine, server: Server) -> None:
        connection = self.connection
        http2 = server.http2 or connection.listening.servers_for(connection).http2
        engine.alpn = _ALPN_HTTP2 if http2 else _ALPN_HTTP1

    # -- what OpenSSL asks (core.tls_server.Chooser)

    def choose(self, engine: Engine, name: bytes | None) -> int:
        connection = self.connection
        checked = validate_host(name) if name else None
        server = connection.servers.find(checked[0], None) if checked is not None else None
        if server is not None and checked is not None:
            self.server, self.name = server, checked[0]
            self._offer(engine, server)
            if server.tls is not None:
                connection.stream.record = server.tls.record
        tls = self.server.tls
        return 0 if tls is None else tls.accept(engine)

    def prove(self, engine: Engine, name: bytes) -> None:
        find = self.connection.cycle.name_proof
        proof = find(name) if find is not None else None
        if proof is not None:  # without one there is no protocol that both speak
            pair_for(None, (proof, proof), (), self.connection.lane.now, engine.use)
            engine.alpn = _ALPN_PROOF
            self.proving = True

    def certify(self, engine: Engine) -> bool:
        if self.proving:
            return True
        connection = self.connection
        server = self.server if self.server.tls is not None and self.server.tls.context else connection.server
        request = Request(connection, RequestHead(), server, connection.cycle)
        request.location = server.root
        try:
            server.tls.certify(engine, request, connection.lane.now)
        except ValueError as error:
            self.log(ERROR, str(error).encode("utf-8", "surrogateescape") + _WHILE)
            return False
        return True

    def _failed(self, error: OSError) -> None:
        from gateway.core.tls import is_ordinary, words_of

        counts = self.connection.cycle.tls_counts
        if counts is not None:
            counts.failed(getattr(error, "reason", 0))
        words, number = words_of(error)
        self.log(INFO if is_ordinary(error) else CRIT, words + _WHILE, number)
        self.connection.close()


def read_failed(connection: Any) -> None:
    """What came where a request was awaited is no TLS, or an alert: the log is told; the connection is to be closed."""
    from gateway.core.tls import is_ordinary, words_of

    failure = connection.stream.failure
    words, number = words_of(failure)
    words += b" while keepalive" if connection.requests else b" while waiting for request"
    _log(connection, connection.server, INFO if is_ordinary(failure) else CRIT, words, number)


def _log(connection: Any, server: Server, level: int, text: bytes, error: OSError | None) -> None:
    log = server.root.core.error_log
    if level > log.level:
        return
    address = connection.listening.address.text.encode("utf-8", "surrogateescape")
    log.write(
        level,
        text,
        errno=(error.errno or 0) if error is not None else 0,
        connection=connection.number,
        context=b", client: %b, server: %b" % (connection.remote()[0], address),
    )
