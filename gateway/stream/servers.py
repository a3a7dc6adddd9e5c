"""Servers of the stream block, and what stands for them at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.loader import Scope
    from gateway.stream.plan import Plan


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
