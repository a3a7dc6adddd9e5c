"""One listening socket: whose it is, and which servers answer for which local address."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any, Protocol

from gateway.core.listening import ListenAddress

if TYPE_CHECKING:
    from gateway.serving.cycle import BlockCycle


class Local(Protocol):
    """Of a connection: where its client has connected to."""

    def local_address(self) -> tuple[bytes, int]: ...


class Listening:
    """Owner of a ListenAddress. A wildcard socket may stand for several addresses of its port, as in nginx.

    Compiled with the types of listening.pxd.
    """

    def __init__(self, address: ListenAddress, cycle: BlockCycle) -> None:
        self.address = address
        self.cycle: Any = cycle
        self.text = address.text.encode("utf-8", "surrogateescape")
        self.servers: dict[bytes, Any] = {}  # by the local address of the connection; b"*" for what is on no other
        self.only: Any = None  # when there is but one choice
        self.proxy_protocol = False  # for any of its addresses
        address.owner = self

    def settle(self) -> None:
        """Called when the configuration is complete."""
        self.only = next(iter(self.servers.values())) if len(self.servers) == 1 else None

    def at(self, connection: Local) -> Any:
        """What stands for the address that the client connected to."""
        only = self.only
        if only is not None:
            return only
        servers = self.servers.get(connection.local_address()[0])
        return servers if servers is not None else self.servers[b"*"]


def is_wildcard(address: ListenAddress) -> bool:
    if address.family == socket.AF_UNIX:
        return False
    return ipaddress.ip_address(address.address[0]).is_unspecified


def local_key(address: ListenAddress) -> bytes:
    """The key of an address in Listening.servers."""
    if address.family == socket.AF_UNIX or is_wildcard(address):
        return b"*"
    return address.address[0].encode()
