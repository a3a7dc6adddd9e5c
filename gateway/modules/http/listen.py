"""http_listen: `listen` and `server_name`, and how servers are put together on their addresses."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import SERVER, Command, Directive, at_least
from gateway.config.errors import Where
from gateway.config.loader import Loader
from gateway.config.text import to_bytes
from gateway.core.addresses import AddressError, parse_listen
from gateway.core.listening import ListenAddress
from gateway.core.regex import Regex, RegexError
from gateway.http.cycle import HttpCycle
from gateway.http.listening import Listening, is_wildcard, local_key
from gateway.http.module import HttpModule
from gateway.http.servers import AddressServers, Server, ServerName
from gateway.http.setters import cycle_of

_REFUSED = {
    "quic": "HTTP/3 is not supported yet",
    "spdy": "SPDY is gone, HTTP/2 has taken its place",
}


@dataclass(slots=True)
class ServerConf(Conf):
    listens: Any = setting(factory=list, inherit=False)


@dataclass(slots=True)
class Listen:
    """One `listen` directive."""

    address: ListenAddress
    options: frozenset[str]  # those that set something on the socket; such a listen binds its own socket
    default_server: bool
    proxy_protocol: bool
    http2: bool
    server: Any  # a Server, of http or of stream
    where: Where | None
    ssl: bool = False


def set_listen(conf: ServerConf, command: Command) -> None:
    if conf.listens is UNSET:
        conf.listens = []
    server: Server = command.scope.owner
    try:
        addresses = parse_listen(command.args[0])
    except AddressError as error:
        command.fail(f'{error} in "{command.args[0]}" of the "listen" directive')
    for address in addresses:
        listen = Listen(address, frozenset(), False, False, False, server, command.where)
        seen: set[str] = set()
        for word in command.args[1:]:
            set_option(listen, word, command, seen)
        listen.options = frozenset(seen)
        if any(other.address.key == address.key for other in conf.listens):
            command.fail(f"a duplicate listen {address.text}")
        conf.listens.append(listen)


def set_option(listen: Listen, word: str, command: Command, seen: set[str]) -> None:
    """One parameter behind the address."""
    address = listen.address
    name, equals, value = word.partition("=")
    if word in ("default_server", "default"):
        listen.default_server = True
    elif word == "bind":
        seen.add("bind")
    elif word == "proxy_protocol":
        listen.proxy_protocol = True
    elif word == "ssl":
        listen.ssl = True
    elif word == "http2":
        command.warn('the "listen ... http2" directive is deprecated, use the "http2" directive instead')
        listen.http2 = True
    elif word == "deferred":
        address.deferred = True
        seen.add(word)
    elif word == "reuseport":
        address.reuseport = True
        seen.add(word)
    elif word in _REFUSED:
        command.fail(f'the "{word}" parameter of the "listen" directive: {_REFUSED[word]}')
    elif word.startswith("ipv6only=o"):
        # On an address of another family it is taken and means nothing.
        if value not in ("on", "off"):
            command.fail(f'invalid ipv6only flags "{value}"')
        address.ipv6only = value == "on"
        seen.add(name)
    elif name == "backlog" and equals:
        if not value.isdigit() or int(value) == 0:
            command.fail(f'invalid backlog "{word}"')
        address.backlog = int(value)
        seen.add(name)
    elif name in ("rcvbuf", "sndbuf") and equals:
        try:
            setattr(address, name, units.parse_size(value))
        except ValueError:
            command.fail(f'invalid {name} "{word}"')
        seen.add(name)
    elif name == "fastopen" and equals:
        if not value.isdigit():
            command.fail(f'invalid fastopen "{word}"')
        address.fastopen = int(value)
        seen.add(name)
    elif name == "so_keepalive" and equals:
        _keepalive(address, value, command)
        seen.add(name)
    elif name == "accept_filter" and equals:
        # nginx says this as an [emerg] and goes on.
        command.warn(f'accept filters "{word}" are not supported on this platform, ignored')
    elif word == "multipath":
        address.multipath = True
        seen.add(word)
    else:
        command.fail(f'invalid parameter "{word}"')


def _keepalive(address: ListenAddress, value: str, command: Command) -> None:
    """so_keepalive=on|off|[idle]:[interval]:[count]."""
    if value in ("on", "off"):
        address.keepalive = value == "on"
        return
    parts = value.split(":")
    try:
        if len(parts) != 3 or parts == ["", "", ""]:
            raise ValueError(value)
        address.keepidle = units.parse_seconds(parts[0]) if parts[0] else 0
        address.keepintvl = units.parse_seconds(parts[1]) if parts[1] else 0
        address.keepcnt = int(parts[2]) if parts[2] else 0
    except ValueError:
        command.fail(f'invalid so_keepalive value: "{value}"')
    address.keepalive = True


def default_listen(server: Server, command: Command) -> None:
    """A server without `listen` is on port 80, or 8000 where we may not bind that; nginx's rule."""
    text = "*:80" if os.geteuid() == 0 else "*:8000"
    conf = server.scope.conf(module, "server")
    conf.listens = [
        Listen(address, frozenset(), False, False, False, server, command.where) for address in parse_listen(text)
    ]


def set_server_name(conf: Any, command: Command) -> None:
    server: Server = command.scope.owner
    for i, text in enumerate(command.args):
        if "/" in text and not text.startswith("~"):
            command.warn(f'server name "{text}" has suspicious symbols')
        if i == 0 and not server.names:
            server.server_name = to_bytes(_first_name(text, command))
        if text.startswith("~"):
            if text == "~":
                command.fail('empty regex in server name "~"')
            # Names are compared without case; PCRE gets the pattern as it stands, and a caseless match.
            try:
                regex = Regex(text[1:], caseless=True)
            except RegexError as error:
                command.fail(str(error))
            for name in regex.named:
                cycle_of(command).variables.define(name, None, command.where)
            server.names.append(ServerName(to_bytes(text), server, regex, command.where))
            continue
        name = text.lower() if text != "$hostname" else socket.gethostname().lower()
        if text == "." or (text.startswith("*") and (len(text) < 3 or text[1] != ".")):
            command.fail(f'server name "{text}" is invalid')
        if not text.startswith(".") and "*" in text and not _wildcard(name):
            command.fail(f'invalid server name or wildcard "{text}" on {_listens(server)}')
        server.names.append(ServerName(to_bytes(name), server, None, command.where))


def _first_name(text: str, command: Command) -> str:
    """$server_name: the first name as it is written, a leading dot of ".example.com" left out."""
    if text == "$hostname":
        return socket.gethostname().lower()
    if text.startswith("."):
        return text[1:].lower()
    return text.lower() if not text.startswith("~") else text


def _wildcard(name: str) -> bool:
    return (name.startswith("*.") and "*" not in name[1:]) or (name.endswith(".*") and "*" not in name[:-1])


def _listens(server: Server) -> str:
    conf = server.scope.conf(module, "server")
    listens = conf.listens if conf.listens is not UNSET else []
    return listens[0].address.text if listens else "0.0.0.0:80"


def settle(cycle: HttpCycle, loader: Loader) -> None:
    """Put the servers on their addresses; several addresses of a port go to its wildcard socket where nginx does so."""
    sockets: dict[tuple[int, Any], list[Listen]] = {}
    for server in cycle.servers:
        for listen in server.confs[module].listens:
            sockets.setdefault(listen.address.key, []).append(listen)
    groups = {key: _group(listens, loader) for key, listens in sockets.items()}
    wildcards = {
        (group.address.family, group.address.address[1]): key
        for key, group in groups.items()
        if group.address.family != socket.AF_UNIX and is_wildcard(group.address)
    }
    listenings: dict[tuple[int, Any], Listening] = {}
    for key, group in groups.items():
        own = key
        if group.address.family != socket.AF_UNIX and not group.bound:
            own = wildcards.get((group.address.family, group.address.address[1]), key)
        listening = listenings.get(own)
        if listening is None:
            address = groups[own].address
            listening = listenings[own] = Listening(address)
            address.owner = listening
        listening.servers[local_key(group.address)] = group.servers
        listening.proxy_protocol = listening.proxy_protocol or group.proxy_protocol
    for listening in listenings.values():
        listening.settle()
    cycle.listenings = list(listenings.values())


@dataclass(slots=True)
class _Group:
    """All that listens on one address."""

    address: ListenAddress
    servers: AddressServers
    bound: bool
    proxy_protocol: bool


def _group(listens: list[Listen], loader: Loader) -> _Group:
    servers = AddressServers()
    with_options = [listen for listen in listens if listen.options]
    for listen in with_options[1:]:
        loader.fail(f"duplicate listen options for {listen.address.text}", listen.where)
    defaults = [listen for listen in listens if listen.default_server]
    for listen in defaults[1:]:
        loader.fail(f"a duplicate default server for {listen.address.text}", listen.where)
    first = with_options[0] if with_options else listens[0]
    servers.default = (defaults[0] if defaults else listens[0]).server
    servers.options = first
    for listen in listens:
        servers.servers.append(listen.server)
        for name in listen.server.names or [ServerName(b"", listen.server)]:
            if not servers.add(name):
                loader.warn(f'conflicting server name "{name.name.decode()}" on {listen.address.text}, ignored', None)
    servers.ssl = any(listen.ssl for listen in listens)
    servers.http2 = any(listen.http2 for listen in listens)
    servers.single = len(servers.servers) == 1 and not servers.regexes
    return _Group(
        first.address,
        servers,
        bool(with_options),
        any(listen.proxy_protocol for listen in listens),
    )


module = HttpModule(
    name="http_listen",
    server=ServerConf,
    directives=(
        Directive("listen", SERVER, at_least(1), set_listen, level="server"),
        Directive("server_name", SERVER, at_least(1), set_server_name, level="server"),
    ),
)
