"""Servers of one listening address, and nginx's choice by Host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.http.locations import Location, LocationTable
from gateway.serving.server_names import ServerNames

if TYPE_CHECKING:
    from gateway._fast.request_head import HeadLimits, RequestHead
    from gateway._fast.zone_counts import ZoneCounts
    from gateway.config.loader import Scope
    from gateway.http.part import Part


class Server:
    """One server block: its names, its locations, and its own top-level location."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.names: list[Any] = []  # serving.server_names.ServerName
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
        self.http3: Any = None  # quic_listener.Http3Settings, where a `listen … quic` is
        # POST_READ and SERVER_REWRITE; made on first use
        self.handlers: tuple[tuple[Part, ...], ...] | None = None
        self.counts: ZoneCounts | None = None  # of its status_zone
        self.tls: Any = None  # a ServerTls, if it has certificates
        self.where: Any = None

    @property
    def error_log(self) -> Any:
        return self.root.core.error_log

    @property
    def resolver(self) -> Any:
        return self.root.core.resolver

    @property
    def resolver_timeout(self) -> float:
        return self.root.core.resolver_timeout


class AddressServers(ServerNames):
    """The servers that share one address and port; the choice among them by the Host field."""

    def __init__(self) -> None:
        super().__init__()
        self.default: Server = None  # type: ignore[assignment]  # set once the servers are known
        self.servers: list[Server] = []
        self.single = True  # no choice to make: the default serves all
        self.ssl = False
        self.http2 = False  # `listen … http2`, whatever the servers say
        self.quic = False
        self.options: Any = None  # the listen directive's options

    def limits_of(self, host: bytes, head: RequestHead) -> HeadLimits:
        """For the parser: the host is known, so its server's limits hold from here on."""
        server: Server = self.find(host, None) or self.default
        head.server = server
        return server.limits
