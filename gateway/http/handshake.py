"""From accept() to the first request on a `listen … ssl`: PROXY protocol, ClientHello, TLS handshake.

The hello is read before TLS begins: its server name chooses the server, and with it all that belongs to its TLS:
certificates, protocols, verification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.host import validate_host
from gateway.core.logs import CRIT, ERROR, INFO
from gateway.http.prologue import read_proxy_header
from gateway.protocol.client_hello import ClientHello, parse

if TYPE_CHECKING:
    from gateway.http.connection import Connection
    from gateway.http.servers import Server

_WHILE: Final = b" while SSL handshaking"
# Fatal alerts (RFC 8446, 6.2), in records of TLS 1.2.
_INTERNAL_ERROR: Final = b"\x15\x03\x03\x00\x02\x02\x50"
_UNRECOGNIZED_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"
_NO_APPLICATION_PROTOCOL: Final = b"\x15\x03\x03\x00\x02\x02\x78"


class Handshake:
    """Does it for one connection, on each event until it is over."""

    __slots__ = ("connection", "hello", "name", "secured", "server")

    def __init__(self, connection: Connection) -> None:
        self.connection: Any = connection  # until let_go()
        self.secured = False  # the stream is a TlsStream
        self.hello: ClientHello | None = None
        self.server: Server = connection.server  # by the name that the client asked for
        self.name: bytes | None = None  # of the server, as the client gave it, if a server has it

    def go_on(self) -> bool:
        """Do what can be done now. True when requests can be read; else more is needed, or the connection is closed."""
        connection = self.connection
        try:
            if not self.secured and not self._begin():
                return False
            if not self.secured:
                return True  # plain HTTP, whose answer says that this is a port for HTTPS
            stream: Any = connection.stream
            if not stream.handshake():
                return False
            counts = connection.cycle.tls_counts
            if counts is not None:
                counts.done(reused=bool(stream.ssl.session_reused))
        except OSError as error:
            self._failed(error)
            return False
        connection.scheme = b"https"
        connection.server = self.server
        return True

    def speaks_http2(self) -> bool:
        """Whether the client and we have agreed on HTTP/2 (ALPN)."""
        tls = getattr(self.connection.stream, "ssl", None)
        return tls is not None and tls.selected_alpn_protocol() == "h2"

    def let_go(self) -> None:
        """It is over, or the connection closed, which has this object: no cycle is left for the garbage collector."""
        self.connection = None

    def timed_out(self) -> None:
        """The connection's deadline has passed, which nobody but us hears of."""
        counts = self.connection.cycle.tls_counts
        if counts is not None and self.secured:
            counts.timed_out()
        self.log(INFO, b"client timed out (110: Connection timed out)" + _WHILE)

    def log(self, level: int, text: bytes, error: OSError | None = None) -> None:
        connection = self.connection
        log = self.server.root.core.error_log
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

    def _begin(self) -> bool:
        """Read up to the whole ClientHello, and put TLS over the stream; True too for what is plain HTTP."""
        connection = self.connection
        stream = connection.stream
        while True:
            if connection.listening.proxy_protocol and connection.proxy is None:
                if connection.buffer and read_proxy_header(connection):
                    continue  # the hello came with it
                if connection.closed:
                    return False
            elif connection.buffer and self._begins_plain():
                return True
            elif connection.buffer and self._read_hello():
                return self._secure()
            if not stream.readable:
                return False
            data = stream.recv()
            if data is None:
                return False
            if not data:
                self.log(INFO, b"client closed connection" + _WHILE)
                connection.close()
                return False
            connection.buffer += data

    def _begins_plain(self) -> bool:
        first = self.connection.buffer[0]
        return not (first & 0x80 or first == 0x16)  # SSLv2, or a record of a handshake

    def _read_hello(self) -> bool:
        connection = self.connection
        try:
            self.hello = parse(connection.buffer)
        except ValueError:
            return True  # OpenSSL will say what it is
        if self.hello is None:
            return False
        name = self.hello.server_name
        checked = validate_host(name) if name else None
        if checked is not None:
            server = connection.servers.find(checked[0], None)
            if server is not None:
                self.server, self.name = server, checked[0]
        return True

    def _secure(self) -> bool:
        connection = self.connection
        tls: Any = self.server.tls
        if tls is not None and tls.rejects:
            return self._refuse(_UNRECOGNIZED_NAME, b"0A0000E2:SSL routines::clienthello tlsext")
        if tls is None or tls.bare:
            # a server without certificates, which shares the address with one that has some
            tls = connection.server.tls
        offered = self.hello.alpn if self.hello is not None else []
        if offered and tls.protocols.isdisjoint(offered):
            return self._refuse(_NO_APPLICATION_PROTOCOL, b"0A0000EB:SSL routines::no application protocol")
        if connection.server.root.core.tcp_nodelay:
            connection.nodelay = True
            connection.stream.nodelay()
        try:
            connection.stream = tls.secure(connection.stream, self.hello, connection.buffer, connection)
        except ValueError as error:  # a certificate that variables name
            self.log(ERROR, str(error).encode("utf-8", "surrogateescape") + _WHILE)
            return self._refuse(_INTERNAL_ERROR, b"0A000179:SSL routines::cert cb error")
        connection.buffer = b""
        self.secured = True
        return True

    def _refuse(self, alert: bytes, words: bytes) -> bool:
        """End it before OpenSSL hears of it, and say what it would say."""
        self.connection.stream.send(alert)
        self.log(INFO, b"SSL_do_handshake() failed (SSL: error:%b)" % words + _WHILE)
        self.connection.close()
        return False

    def _failed(self, error: OSError) -> None:
        from gateway.core.tls import HandshakeFailure

        failure = HandshakeFailure(error)
        counts = self.connection.cycle.tls_counts
        if counts is not None:
            counts.failed(getattr(error, "reason", None))
        self.log(INFO if failure.ordinary else CRIT, failure.text + _WHILE, failure.error)
        self.connection.close()
