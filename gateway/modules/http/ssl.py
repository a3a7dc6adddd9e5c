"""ssl: TLS for clients, `listen … ssl`, on OpenSSL. What its version does not have is refused with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import setting
from gateway.config.directive import FLAG, HTTP, SERVER, Directive, flag, size, take
from gateway.config.loader import Loader, Scope
from gateway.core.tls_settings import TlsConf, server_directives
from gateway.core.tls_variables import HTTP_VARIABLES
from gateway.http.module import HttpModule
from gateway.http.setters import template
from gateway.serving.cycle import LATE_IMPORTS
from gateway.serving.tls import check_certificates, make_contexts

if TYPE_CHECKING:
    from gateway.http.cycle import HttpCycle
    from gateway.http.servers import Server


@dataclass(slots=True)
class ServerConf(TlsConf):
    buffer_size: int = setting(16384)
    early_data: bool = setting(False)


def prepare(scope: Scope, loader: Loader) -> None:
    """Make the contexts, before the fork, and see that each `listen … ssl` has one."""
    cycle: HttpCycle = scope.owner
    confs: list[tuple[Server, ServerConf]] = [(server, server.confs[module]) for server in cycle.servers]
    if make_contexts([(server, conf) for server, conf in confs if conf.wanted], cycle, loader, "http"):
        loader.parts.get(LATE_IMPORTS).add("gateway.core.tls")  # what a handshake that fails is said by
    if any(conf.verify for _, conf in confs):
        loader.parts.get(LATE_IMPORTS).add("gateway.http.server_tls")
    for listening in cycle.listenings:
        for servers in listening.servers.values():
            if servers.ssl or servers.quic:
                check_certificates(servers.default, servers.servers, module, "quic" if servers.quic else "ssl")


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
