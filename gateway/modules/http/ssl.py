"""ssl: TLS for clients, `listen … ssl`, on OpenSSL. What its version does not have is refused with file and line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gateway.config.conf import setting
from gateway.config.directive import FLAG, HTTP, SERVER, Directive, flag, size, take
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.core.tls_objects import TLS_OBJECTS
from gateway.core.tls_settings import TlsConf, server_directives
from gateway.core.tls_variables import HTTP_VARIABLES
from gateway.http.module import HttpModule
from gateway.http.setters import template
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    from gateway.core.tls_server import ServerTls
    from gateway.http.cycle import HttpCycle
    from gateway.http.servers import Server


@dataclass(slots=True)
class ServerConf(TlsConf):
    buffer_size: int = setting(16384)
    early_data: bool = setting(False)


def prepare(scope: Scope, loader: Loader) -> None:
    """Make the contexts, before the fork, and see that each `listen … ssl` has one."""
    cycle: HttpCycle = scope.owner
    made: dict[Any, ServerTls | None] = {}
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        key = tuple(getattr(conf, field.name) for field in fields(conf))
        if key not in made:
            made[key] = _make(conf, server, cycle, loader) if conf.wanted else None
        server.tls = made[key]
        if server.tls is not None:
            loader.parts.get(LATE_IMPORTS).add("gateway.core.tls")  # what a handshake that fails is said by
        if conf.verify:
            loader.parts.get(LATE_IMPORTS).add("gateway.http.server_tls")
    objects = loader.parts.find(TLS_OBJECTS)
    if objects is not None:
        objects.finish()
    for listening in cycle.listenings:
        for servers in listening.servers.values():
            if servers.ssl or servers.quic:
                _check_certificates(servers.default, servers.servers, "quic" if servers.quic else "ssl")


def _make(conf: ServerConf, server: Server, cycle: Any, loader: Loader) -> ServerTls | None:
    from gateway.core.tls_server import of_server  # which the binding comes with

    return of_server(conf, server, cycle, loader, "http")


def _check_certificates(default: Server, servers: list[Server], name: str) -> None:
    message = f'no "ssl_certificate" is defined for the "listen ... {name}" directive'
    conf: ServerConf = default.confs[module]
    if conf.certificates:
        return
    if not conf.reject_handshake:
        raise ConfigError(message, default.where)
    for server in servers:
        conf = server.confs[module]
        if not conf.certificates and not conf.reject_handshake:
            raise ConfigError(message, server.where)


_BOTH = HTTP | SERVER

module = HttpModule(
    name="ssl",
    server=ServerConf,
    directives=(
        *server_directives("http", _BOTH, template),
        Directive("ssl_buffer_size", _BOTH, take(1), size("buffer_size"), level="server"),
        Directive("ssl_early_data", _BOTH, FLAG, flag("early_data"), level="server"),
    ),
    variables=HTTP_VARIABLES,
    prepare=prepare,
)
