"""Servers of one listening address, and nginx's choice by Host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.regex import MatchError
from gateway.http.locations import Location, LocationTable

if TYPE_CHECKING:
    from gateway._fast.request_head import HeadLimits, RequestHead
    from gateway.config.loader import Scope
    from gateway.core.regex import Regex
    from gateway.http.module import Handler
    from gateway.http.request import Request


class Server:
    """One server block: its names, its locations, and its own top-level location."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.names: list[ServerName] = []
        self.server_name = b""  # the first name: $server_name
        self.locations = LocationTable()
        self.root: Location = None  # type: ignore[assignment]  # settings of the server block itself, where no location matches
        self.confs: dict[Any, Any] = {}  # module -> its merged server settings
        self.core: Any = None
        # of core, for each head that is read: compiled
        self.limits: HeadLimits = None  # type: ignore[assignment]
        self.header_timeout: float = 0.0
        self.http2 = False  # the `http2` directive: HTTP/2 is spoken, too
        self.http2_settings: Any = None  # h2_settings.Http2Settings
        # POST_READ and SERVER_REWRITE; made on first use
        self.handlers: tuple[tuple[Handler, ...], ...] | None = None
        self.tls: Any = None  # a ServerTls, if it has certificates
        self.where: Any = None


class ServerName:
    """One argument of server_name."""

    def __init__(self, name: bytes, server: Server, regex: Regex | None = None, where: Any = None) -> None:
        self.name = name
        self.server = server
        self.regex = regex
        self.where = where


class AddressServers:
    """The servers that share one address and port; the choice among them by the Host field."""

    def __init__(self) -> None:
        self.default: Server = None  # type: ignore[assignment]  # set once the servers are known
        self.servers: list[Server] = []
        self.exact: dict[bytes, Server] = {}
        self.leading: dict[bytes, Server] = {}  # *.example.com, kept as "example.com"; ".example.com" counts as both
        self.trailing: dict[bytes, Server] = {}  # www.example.*, kept as "www.example"
        self.regexes: list[ServerName] = []
        self.single = True  # no choice to make: the default serves all
        self.ssl = False
        self.http2 = False  # `listen … http2`, whatever the servers say
        self.options: Any = None  # the listen directive's options

    def add(self, name: ServerName) -> bool:
        """Register one name; False if it is there already (nginx: conflicting server name, ignored)."""
        self.single = False
        if name.regex is not None:
            self.regexes.append(name)
            return True
        text = name.name
        if text.startswith(b"*."):
            return self.leading.setdefault(text[2:], name.server) is name.server
        if text.startswith(b"."):
            clash = self.exact.setdefault(text[1:], name.server) is not name.server
            return self.leading.setdefault(text[1:], name.server) is name.server and not clash
        if text.endswith(b".*"):
            return self.trailing.setdefault(text[:-2], name.server) is name.server
        return self.exact.setdefault(text, name.server) is name.server

    def limits_of(self, host: bytes, head: RequestHead) -> HeadLimits:
        """For the parser: the host is known, so its server's limits hold from here on."""
        server: Server = self.find(host, None) or self.default
        head.server = server
        return server.limits

    def find(self, host: bytes, request: Request | None) -> Server | None:
        """The server of this (validated, lower-case) host name; None where none matches."""
        server = self.exact.get(host)
        if server is not None:
            return server
        if self.leading:
            rest = host
            while True:
                dot = rest.find(b".")
                if dot < 0:
                    break
                rest = rest[dot + 1 :]
                server = self.leading.get(rest)
                if server is not None:
                    return server
        if self.trailing:
            rest = host
            while True:
                dot = rest.rfind(b".")
                if dot < 0:
                    break
                rest = rest[:dot]
                server = self.trailing.get(rest)
                if server is not None:
                    return server
        for name in self.regexes:
            assert name.regex is not None
            try:
                captures = name.regex.search(host)
            except MatchError as error:
                name.server.root.core.error_log.alert(str(error))
                continue
            if captures is not None:
                if request is not None:
                    request.matched(captures)
                return name.server
        return None
