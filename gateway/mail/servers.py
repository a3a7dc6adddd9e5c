"""Servers of the mail block, and what stands for them at an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.loader import Scope
    from gateway.core.tls_server import ServerTls
    from gateway.mail.module import Protocol
    from gateway.mail.session import Session


class Backend:
    """The mail server that a client is passed on to."""

    __slots__ = ("name", "sockaddr")

    def __init__(self, sockaddr: bytes, name: bytes) -> None:
        self.sockaddr = sockaddr
        self.name = name


class Refusal:
    """A login that failed: what the client is told, and after how many seconds; 0: at once, and it is the end."""

    __slots__ = ("delay_s", "text")

    def __init__(self, text: bytes, delay_s: int) -> None:
        self.text = text
        self.delay_s = delay_s


class Server:
    """One server block."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.confs: dict[Any, Any] = {}  # module -> its merged settings
        self.core: Any = None  # those of mail_core, which the engine itself reads
        self.where: Where | None = None
        self.protocol: Protocol = None  # type: ignore[assignment]  # set once the configuration is complete
        self.name = b""  # as clients see it
        self.tls: ServerTls | None = None
        self.starttls = False  # clients may ask for it
        self.starttls_only = False  # and must, before they log in
        # Of modules: who says whether a client may log in, who has its real address, and who passes it on.
        self.authenticate: Callable[[Session], Awaitable[Backend | Refusal]] = None  # type: ignore[assignment]
        self.real_address: Callable[[Session], None] | None = None
        self.relay: Callable[[Session, Backend], Awaitable[None]] = None  # type: ignore[assignment]

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
    """What stands for one address: there is one server for each."""

    __slots__ = ("proxy_protocol", "server", "ssl", "text")

    def __init__(self, server: Server, text: str, proxy_protocol: bool, ssl: bool) -> None:
        self.server = server
        self.text = text.encode("utf-8", "surrogateescape")
        self.proxy_protocol = proxy_protocol  # clients begin with such a header
        self.ssl = ssl
