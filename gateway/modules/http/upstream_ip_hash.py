"""upstream_ip_hash: `ip_hash`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from gateway.config.directive import NOARGS, UPSTREAM, Command, Directive
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.hashing import IpHashChoice

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def packed_address(text: bytes) -> bytes:
    """The bytes of the client's address; none for a unix socket."""
    try:
        return socket.inet_pton(socket.AF_INET6 if b":" in text else socket.AF_INET, text.decode("ascii"))
    except (OSError, ValueError):
        return b""


def _balancer(group: Group) -> Balancer:
    def choose(request: Request, group: Group) -> Choice:
        return IpHashChoice(group, packed_address(request.connection.remote()[0]))

    return choose


def set_ip_hash(conf: None, command: Command) -> None:
    choose_method(command, _balancer, backup=False)


module = HttpModule(
    name="upstream_ip_hash",
    directives=(Directive("ip_hash", UPSTREAM, NOARGS, set_ip_hash),),
)
