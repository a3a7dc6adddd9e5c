"""What a `listen` directive asks of the kernel: an address and the options of its socket."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Final

# nginx: NGX_LISTEN_BACKLOG on Linux.
BACKLOG: Final = 511

Address = tuple[str, int] | str


@dataclass(slots=True)
class ListenAddress:
    """One address to listen on; `owner` is for whoever serves it (the servers that share the address)."""

    family: int
    address: Address  # (host, port) with a numeric host, or a unix socket's path
    text: str  # as nginx writes it: 127.0.0.1:80, [::]:80, unix:/path
    owner: Any = None
    datagram: bool = False  # UDP
    backlog: int = BACKLOG
    rcvbuf: int | None = None
    sndbuf: int | None = None
    reuseport: bool = False  # one socket for each worker
    ipv6only: bool = True
    deferred: bool = False
    multipath: bool = False  # MPTCP
    fastopen: int | None = None
    keepalive: bool | None = None  # so_keepalive; None leaves the system's setting
    keepidle: int = 0  # seconds; 0 leaves the system's setting, so for the two below
    keepintvl: int = 0
    keepcnt: int = 0

    @property
    def key(self) -> tuple[int, Any, bool]:
        """Equal for addresses that are the same socket."""
        return (self.family, self.address, self.datagram)


@dataclass(slots=True)
class Listener:
    """An open listening socket as a worker gets it."""

    address: ListenAddress
    socket: socket.socket
    worker: int | None = None  # with reuseport: the worker that it belongs to

    @property
    def fd(self) -> int:
        return self.socket.fileno()


def address_text(family: int, address: Any) -> str:
    """nginx's spelling of a socket address (ngx_sock_ntop)."""
    if family == socket.AF_UNIX:
        name = address if isinstance(address, str) else address.decode("utf-8", "surrogateescape")
        return f"unix:{name}"
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
