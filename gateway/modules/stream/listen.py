"""stream_listen: `listen` of the stream block, TCP and unix sockets, and which server answers on which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least
from gateway.config.loader import Loader
from gateway.serving.listen import Listen, SetListen, default_of, place
from gateway.serving.listening import Listening
from gateway.stream.cycle import StreamCycle
from gateway.stream.module import StreamModule
from gateway.stream.servers import AddressServer

_REFUSED: Final = {
    "ssl": "TLS is not supported in the stream block yet",
}


@dataclass(slots=True)
class ServerConf(Conf):
    listens: Any = setting(factory=list, inherit=False)


def set_udp(listen: Listen, command: Command) -> None:
    listen.address.datagram = True


def settle(cycle: StreamCycle, loader: Loader) -> None:
    """Called when all servers are merged."""
    listens = [listen for server in cycle.servers for listen in server.confs[module].listens]
    place(cycle, listens, loader, Listening, _server_of)


def _server_of(group: list[Listen], loader: Loader) -> AddressServer:
    # Servers are told apart by names alone, which only TLS brings.
    for _ in group[1:]:
        loader.warn(f'conflicting server name "" on {group[0].address.text}, ignored')
    return AddressServer(default_of(group), any(listen.proxy_protocol for listen in group))


module = StreamModule(
    name="stream_listen",
    server=ServerConf,
    directives=(
        Directive(
            "listen",
            Context.STREAM_SERVER,
            at_least(1),
            SetListen(refused=_REFUSED, own={"udp": set_udp}, needs_port=True),
            level="server",
        ),
    ),
)
