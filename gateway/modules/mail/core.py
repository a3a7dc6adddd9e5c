"""mail_core: the protocol of a server, its name, its patience, its log and its resolver."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least, number, string, take, time_s
from gateway.config.errors import ConfigError
from gateway.core.logs import LOG, Log
from gateway.mail.module import MailModule
from gateway.modules.http import error_log
from gateway.serving.resolver_directive import connect_resolvers, make_resolver

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle

_HOSTNAME: Final = socket.gethostname().lower()


@dataclass(slots=True)
class ServerConf(Conf):
    protocol: Any = setting(None, inherit=False)  # a module.Protocol
    server_name: str = setting("")
    timeout: float = setting(60.0)
    max_errors: int = setting(5)
    error_log: Any = setting(None)
    resolver: Any = setting(None)
    resolver_timeout: float = setting(30.0)


def set_protocol(conf: ServerConf, command: Command) -> None:
    """The last one holds, and what the port of a `listen` stood for does not."""
    for module in command.scope.parent.owner.modules:  # type: ignore[union-attr]
        if module.protocol is not None and module.protocol.name == command.args[0]:
            conf.protocol = module.protocol
            return
    command.fail(f'unknown protocol "{command.args[0]}"')


def set_error_log(conf: ServerConf, command: Command) -> None:
    """A block with an error_log of its own has only its own."""
    if conf.error_log is UNSET:
        conf.error_log = Log()
    conf.error_log.add(error_log.sink(command))


def set_resolver(conf: ServerConf, command: Command) -> None:
    if conf.resolver is not UNSET:
        command.duplicate()
    conf.resolver = None if command.args[0] == "off" else make_resolver(command)


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        if server.core.protocol is None:
            raise ConfigError("unknown mail protocol for server", server.where)
        server.protocol = server.core.protocol
        server.name = (server.core.server_name or _HOSTNAME).encode("utf-8", "surrogateescape")
        if server.core.error_log is None:
            server.core.error_log = loader.parts.get(LOG)
    connect_resolvers(cycle, loader)


_WHERE: Final = Context.MAIL | Context.MAIL_SERVER


def _server(name: str, arguments: Any, setter: Any) -> Directive:
    return Directive(name, _WHERE, arguments, setter, level="server")


module = MailModule(
    name="mail_core",
    server=ServerConf,
    prepare=prepare,
    directives=(
        Directive("protocol", Context.MAIL_SERVER, take(1), set_protocol, level="server"),
        _server("server_name", take(1), string("server_name")),
        _server("timeout", take(1), time_s("timeout")),
        _server("max_errors", take(1), number("max_errors")),
        _server("error_log", at_least(1), set_error_log),
        _server("resolver", at_least(1), set_resolver),
        _server("resolver_timeout", take(1), time_s("resolver_timeout")),
    ),
)
