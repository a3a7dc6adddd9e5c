"""Servers of the stream block, and what stands for them at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.serving.server_names import ServerNames

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.loader import Scope
    from gateway.core.tls_server import ServerTls
    from gateway.serving.server_names import ServerName
    from gateway.stream.plan import Plan


class Server:
    """One server block. Compiled with the types of servers.pxd."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.confs: dict[Any, Any] = {}  # module -> its merged settings
        self.core: Any = None  # those of stream_core, which the engine itself reads
        self.plan: Plan = None  # type: ignore[assignment]  # set once the configuration is complete
        self.content_by: Any = None  # the module whose directive makes the content: the last one
        self.where: Where | None = None
        self.names: list[ServerName] = []
        self.server_name = b""  # the first name: $server_name
        self.tls: ServerTls | None = None  # if it has certificates, or rejects handshakes

    @property
    def error_log(self) -> Any:
        return self.core.error_log

    @property
    def resolver(self) -> Any:
        return self.core.resolver

    @property
    def resolver_timeout(self) -> float:
        return self.core.resolver_timeout  # type: ignore[no-any-return]


class AddressServer:
    """What stands for one address: its default server, and those that a client may ask for by name."""

    def __init__(self, server: Server, proxy_protocol: bool, ssl: bool) -> None:
        self.server = server
        self.servers: list[Server] = []
        self.names = ServerNames()
        self.proxy_protocol = proxy_protocol  # clients begin with such a header
        self.ssl = ssl
