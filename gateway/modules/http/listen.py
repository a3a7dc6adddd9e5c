"""http_listen: `listen` and `server_name`."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import SERVER, Command, Directive, at_least
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader
from gateway.config.text import to_bytes, to_str
from gateway.core.addresses import parse_listen
from gateway.core.regex import Regex, RegexError
from gateway.http.cycle import HttpCycle
from gateway.http.listening import HttpListening
from gateway.http.module import HttpModule
from gateway.http.servers import AddressServers, Server
from gateway.http.setters import cycle_of
from gateway.serving.listen import Listen, SetListen, default_of, place
from gateway.serving.server_names import ServerName


@dataclass(slots=True)
class ServerConf(Conf):
    listens: list[Any] = setting(factory=list, inherit=False)


def default_listen(server: Server, command: Command) -> None:
    """A server without `listen` is on port 80, or 8000 where we may not bind that; nginx's rule."""
    text = "*:80" if os.geteuid() == 0 else "*:8000"
    conf = server.scope.conf(module, "server")
    conf.listens = [Listen(address, server, command.where) for address in parse_listen(text)]


def set_server_name(conf: Any, command: Command) -> None:
    """Of both blocks."""
    server: Any = command.scope.owner
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
        server.names.append(ServerName(to_bytes(name), server, None, command.where))


def _first_name(text: str, command: Command) -> str:
    """$server_name: the first name as it is written, a leading dot of ".example.com" left out."""
    if text == "$hostname":
        return socket.gethostname().lower()
    if text.startswith("."):
        return text[1:].lower()
    return text.lower() if not text.startswith("~") else text


def check_wildcards(group: list[Listen]) -> None:
    """Refuse a name with an asterisk where none may be; a server that is alone at its address is not asked for it.

    Errors: ConfigError.
    """
    if len(group) == 1:
        return
    for listen in group:
        for name in listen.server.names:
            if name.no_wildcard():
                words = name.name.decode("utf-8", "surrogateescape")
                raise ConfigError(f'invalid server name or wildcard "{words}" on {listen.address.text}')


def settle(cycle: HttpCycle, loader: Loader) -> None:
    """Called when all servers are merged."""
    listens = [listen for server in cycle.servers for listen in server.confs[module].listens]
    place(cycle, listens, loader, HttpListening, _servers_of)


def _servers_of(group: list[Listen], loader: Loader) -> AddressServers:
    """All that listens on one address."""
    check_wildcards(group)
    servers = AddressServers()
    servers.default = default_of(group)
    for listen in group:
        servers.servers.append(listen.server)
        for name in listen.server.names or [ServerName(b"", listen.server)]:
            if not servers.add(name) and len(group) > 1:
                loader.warn(f'conflicting server name "{to_str(name.name)}" on {listen.address.text}, ignored', None)
    servers.ssl = any(listen.ssl for listen in group)
    servers.http2 = any(listen.http2 for listen in group)
    servers.quic = any(listen.quic for listen in group)
    servers.single = len(servers.servers) == 1 and not servers.regexes
    return servers


def _default(listen: Listen, command: Command) -> None:
    listen.default_server = True


def _http2(listen: Listen, command: Command) -> None:
    command.warn('the "listen ... http2" directive is deprecated, use the "http2" directive instead')
    listen.http2 = True


def _quic(listen: Listen, command: Command) -> None:
    from gateway.modules.http.content_coding import package

    package("aioquic", "http3", command)
    listen.quic = True
    listen.address.datagram = True
    listen.address.reuseport = True  # a client's packets reach one worker by the kernel's hash of its address


# What such a socket cannot have, in nginx's order.
_NOT_WITH_QUIC: Final = (
    *("fastopen", "backlog", "deferred", "multipath"),
    *("ssl", "http2", "so_keepalive", "proxy_protocol"),
)


def check_quic(listen: Listen, command: Command) -> None:
    """`listen … quic` with what it is incompatible with."""
    address = listen.address
    for name in _NOT_WITH_QUIC:
        given = name in listen.options or bool(getattr(listen, name, False) or getattr(address, name, False))
        if given and (name != "backlog" or "backlog" in listen.options):
            command.refuse(f'"{name}" parameter is incompatible with "quic"')


set_listen = SetListen(own={"default": _default, "http2": _http2, "quic": _quic}, check=check_quic)

module = HttpModule(
    name="http_listen",
    server=ServerConf,
    directives=(
        Directive("listen", SERVER, at_least(1), set_listen, level="server"),
        Directive("server_name", SERVER, at_least(1), set_server_name, level="server"),
    ),
)
