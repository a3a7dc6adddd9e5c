"""One listening socket of the http block: which servers answer for which local address."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from gateway.core.listening import ListenAddress
from gateway.http.servers import AddressServers

if TYPE_CHECKING:
    from gateway.http.client import Client


class Listening:
    """Owner of a ListenAddress. A wildcard socket may stand for several addresses of its port, as in nginx."""

    def __init__(self, address: ListenAddress) -> None:
        self.address = address
        self.servers: dict[bytes, AddressServers] = {}  # by the local address of the connection
        self.only: AddressServers | None = None  # when there is but one choice
        self.proxy_protocol = False

    def settle(self) -> None:
        """Called when the configuration is complete."""
        wildcard = self.servers.get(b"*")
        self.only = wildcard if wildcard is not None and len(self.servers) == 1 else None
        if self.only is None and len(self.servers) == 1:
            self.only = next(iter(self.servers.values()))

    def servers_for(self, connection: Client) -> AddressServers:
        """The servers of the address that the client connected to."""
        only = self.only
        if only is not None:
            return only
        servers = self.servers.get(connection.server_addr)
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
