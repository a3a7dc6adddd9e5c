"""Servers of the stream block, and the listening sockets that they stand behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.loader import Scope
    from gateway.core.listening import ListenAddress
    from gateway.stream.plan import Plan
    from gateway.stream.session import Session


class Server:
    """One server block."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.confs: dict[Any, Any] = {}  # module -> its merged settings
        self.core: Any = None  # those of stream_core, which the engine itself reads
        self.plan: Plan = None  # type: ignore[assignment]  # set once the configuration is complete
        self.content_by: Any = None  # the module whose directive makes the content: the last one
        self.where: Where | None = None


class AddressServer:
    """The server of one address, and whether clients begin with a PROXY protocol header there."""

    __slots__ = ("proxy_protocol", "server")

    def __init__(self, server: Server, proxy_protocol: bool) -> None:
        self.server = server
        self.proxy_protocol = proxy_protocol


class Listening:
    """Owner of a ListenAddress. A wildcard socket may stand for several addresses of its port, as in nginx."""

    def __init__(self, address: ListenAddress) -> None:
        self.address = address
        self.text = address.text.encode("utf-8", "surrogateescape")
        self.servers: dict[bytes, AddressServer] = {}  # by the local address; b"*" for what is on no other

    def server_for(self, session: Session) -> AddressServer:
        """The server of the address that the client connected to."""
        servers = self.servers
        if len(servers) == 1:
            return next(iter(servers.values()))
        return servers.get(session.local_address()[0]) or servers[b"*"]
