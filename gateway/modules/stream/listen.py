"""stream_listen: `listen` of the stream block, TCP and unix sockets, and which server answers on which of them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least
from gateway.config.loader import Loader
from gateway.core.addresses import AddressError, parse_listen
from gateway.http.listening import is_wildcard, local_key
from gateway.modules.http.listen import Listen, set_option
from gateway.stream.cycle import StreamCycle
from gateway.stream.module import StreamModule
from gateway.stream.servers import AddressServer, Listening, Server

_REFUSED: Final = {
    "udp": "UDP is not supported yet",
    "ssl": "TLS is not supported in the stream block yet",
}
# Of the listen directive of http.
_UNKNOWN: Final = frozenset({"default", "http2", "quic", "spdy"})


@dataclass(slots=True)
class ServerConf(Conf):
    listens: Any = setting(factory=list, inherit=False)


def set_listen(conf: ServerConf, command: Command) -> None:
    if conf.listens is UNSET:
        conf.listens = []
    server: Server = command.scope.owner
    text = command.args[0]
    try:
        addresses = parse_listen(text)
    except AddressError as error:
        command.fail(f'{error} in "{text}" of the "listen" directive')
    if text.isdigit() or not text.startswith("unix:"):
        _need_port(text, command)
    for address in addresses:
        listen = Listen(address, frozenset(), False, False, False, server, command.where)
        seen: set[str] = set()
        for word in command.args[1:]:
            if word in _REFUSED:
                command.fail(f'the "{word}" parameter of the "listen" directive: {_REFUSED[word]}')
            if word in _UNKNOWN:
                command.fail(f'invalid parameter "{word}"')
            set_option(listen, word, command, seen)
        listen.options = frozenset(seen)
        if any(other.address.key == address.key for other in conf.listens):
            command.fail(f"a duplicate listen {address.text}")
        conf.listens.append(listen)


def _need_port(text: str, command: Command) -> None:
    """There is no port that would be meant if none is said."""
    if not text.isdigit() and ":" not in text.rpartition("]")[2]:
        command.fail(f'no port in "{text}" of the "listen" directive')


def settle(cycle: StreamCycle, loader: Loader) -> None:
    """Put the servers on their addresses; several addresses of a port go to its wildcard socket where nginx does so."""
    sockets: dict[tuple[int, Any], list[Listen]] = {}
    for server in cycle.servers:
        for listen in server.confs[module].listens:
            sockets.setdefault(listen.address.key, []).append(listen)
    leading = {key: _leading(listens, loader) for key, listens in sockets.items()}
    wildcards = {
        (listen.address.family, listen.address.address[1]): key
        for key, listen in leading.items()
        if listen.address.family != socket.AF_UNIX and is_wildcard(listen.address)
    }
    listenings: dict[tuple[int, Any], Listening] = {}
    for key, listens in sockets.items():
        address = leading[key].address
        own = key
        if address.family != socket.AF_UNIX and not leading[key].options:
            own = wildcards.get((address.family, address.address[1]), key)
        listening = listenings.get(own)
        if listening is None:
            listening = listenings[own] = Listening(leading[own].address)
            leading[own].address.owner = listening
        default = next((listen for listen in listens if listen.default_server), listens[0])
        proxy_protocol = any(listen.proxy_protocol for listen in listens)
        listening.servers[local_key(address)] = AddressServer(default.server, proxy_protocol)
    cycle.listenings = list(listenings.values())


def _leading(listens: list[Listen], loader: Loader) -> Listen:
    """The listen of an address whose options hold."""
    with_options = [listen for listen in listens if listen.options]
    for listen in with_options[1:]:
        loader.fail(f"duplicate listen options for {listen.address.text}", listen.where)
    defaults = [listen for listen in listens if listen.default_server]
    for listen in defaults[1:]:
        loader.fail(f"a duplicate default server for {listen.address.text}", listen.where)
    # Servers are told apart by names alone, which only TLS brings.
    for _ in listens[1:]:
        loader.warn(f'conflicting server name "" on {listens[0].address.text}, ignored')
    return with_options[0] if with_options else listens[0]


module = StreamModule(
    name="stream_listen",
    server=ServerConf,
    directives=(Directive("listen", Context.STREAM_SERVER, at_least(1), set_listen, level="server"),),
)
