"""stream_ssl: TLS for clients, `listen … ssl`, on OpenSSL; the directives are those of http."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import setting
from gateway.config.directive import Command, Context, Directive, at_least, take, time_s
from gateway.core.tls_settings import TlsConf, server_directives
from gateway.core.tls_variables import VARIABLES
from gateway.serving.cycle import LATE_IMPORTS
from gateway.serving.tls import check_certificates, make_contexts
from gateway.stream.module import NOTHING, OK, Contribution, Phase, Result, StreamModule
from gateway.stream.setters import template

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.stream.cycle import StreamCycle
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


@dataclass(slots=True)
class ServerConf(TlsConf):
    handshake_timeout: float = setting(60.0)
    alpn: tuple[bytes, ...] = setting(())


def set_alpn(conf: Any, command: Command) -> None:
    """Protocols by ALPN, of which the server takes the first that the client offers."""
    command.once(conf.alpn)
    for name in command.args:
        if len(name.encode()) > 255:
            command.fail(f'"{command.name}" directive protocol too long')
    conf.alpn = tuple(name.encode() for name in command.args)


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: StreamCycle = scope.owner
    confs: list[tuple[Server, ServerConf]] = [(server, server.confs[module]) for server in cycle.servers]
    if make_contexts([(server, conf) for server, conf in confs if conf.wanted], cycle, loader, "stream"):
        loader.parts.get(LATE_IMPORTS).add("gateway.stream.handshake")
    for listening in cycle.listenings:
        for address in listening.servers.values():
            if address.ssl:
                check_certificates(address.server, address.servers, module)


def plan(conf: ServerConf, server: Server) -> Contribution:
    if server.tls is None or server.tls.context is None:
        return NOTHING
    timeout_s: float = conf.handshake_timeout

    def begin(session: Session) -> Result | Awaitable[Result]:
        if not session.address.ssl:
            return OK
        from gateway.stream.handshake import shake_hands

        return shake_hands(session, timeout_s)

    return Contribution(handlers={Phase.SSL: begin})


module = StreamModule(
    name="stream_ssl",
    server=ServerConf,
    directives=(
        *server_directives("stream", _WHERE, template),
        Directive("ssl_handshake_timeout", _WHERE, take(1), time_s("handshake_timeout"), level="server"),
        Directive("ssl_alpn", _WHERE, at_least(1), set_alpn, level="server"),
    ),
    variables=VARIABLES,
    prepare=prepare,
    plan=plan,
)
