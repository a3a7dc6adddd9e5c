"""stream_listen: `listen` of the stream block, TCP and unix sockets, and which server answers on which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.config.conf import Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least
from gateway.config.loader import Loader
from gateway.config.text import to_str
from gateway.core.variables import Variable
from gateway.modules.http.listen import check_wildcards, set_server_name
from gateway.serving.listen import Listen, SetListen, default_of, place
from gateway.serving.listening import Listening
from gateway.serving.server_names import ServerName
from gateway.stream.cycle import StreamCycle
from gateway.stream.module import StreamModule
from gateway.stream.servers import AddressServer


@dataclass(slots=True)
class ServerConf(Conf):
    listens: list[Any] = setting(factory=list, inherit=False)


def set_udp(listen: Listen, command: Command) -> None:
    listen.address.datagram = True


def settle(cycle: StreamCycle, loader: Loader) -> None:
    """Called when all servers are merged."""
    listens = [listen for server in cycle.servers for listen in server.confs[module].listens]
    place(cycle, listens, loader, Listening, _server_of)


def _server_of(group: list[Listen], loader: Loader) -> AddressServer:
    """Servers are told apart by names alone, which only TLS brings."""
    check_wildcards(group)
    made = AddressServer(
        default_of(group), any(listen.proxy_protocol for listen in group), any(listen.ssl for listen in group)
    )
    for listen in group:
        made.servers.append(listen.server)
        for name in listen.server.names or [ServerName(b"", listen.server)]:
            if not made.names.add(name) and len(group) > 1:
                loader.warn(f'conflicting server name "{to_str(name.name)}" on {listen.address.text}, ignored')
    return made


module = StreamModule(
    name="stream_listen",
    server=ServerConf,
    directives=(
        Directive(
            "listen",
            Context.STREAM_SERVER,
            at_least(1),
            SetListen(own={"udp": set_udp}, needs_port=True),
            level="server",
        ),
        Directive("server_name", Context.STREAM_SERVER, at_least(1), set_server_name, level="server"),
    ),
    variables=(Variable("server_name", lambda session: session.server.server_name),),
)
