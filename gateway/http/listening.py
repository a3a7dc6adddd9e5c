"""A listening socket of the http block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.servers import AddressServers
from gateway.serving.listening import Listening

if TYPE_CHECKING:
    from gateway.http.client import Client


class HttpListening(Listening):
    """Compiled with the types of listening.pxd: what it finds is known to be servers."""

    def servers_for(self, connection: Client) -> AddressServers:
        """The servers of the address that the client connected to."""
        only = self.only
        if only is not None:
            return only  # type: ignore[no-any-return]
        return self.at(connection)  # type: ignore[no-any-return]
