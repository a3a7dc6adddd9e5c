"""mail_ssl: TLS for mail clients, on a `listen … ssl` or by STARTTLS; the directives are http's, without variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import setting
from gateway.config.directive import Command, Context, Directive, enum_, take
from gateway.config.errors import ConfigError
from gateway.core.tls_settings import TlsConf, server_directives
from gateway.mail.module import MailModule
from gateway.serving.cycle import LATE_IMPORTS
from gateway.serving.tls import make_contexts

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.servers import Server

_WHERE: Final = Context.MAIL | Context.MAIL_SERVER
OFF, ON, ONLY = range(3)


@dataclass(slots=True)
class ServerConf(TlsConf):
    starttls: int = setting(OFF)
    starttls_at: Any = setting(None)
    alpn: tuple[bytes, ...] = ()  # the protocol's name


def set_starttls(conf: ServerConf, command: Command) -> None:
    enum_("starttls", {"off": OFF, "on": ON, "only": ONLY})(conf, command)
    conf.starttls_at = command.where


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    if make_contexts(_wanted(cycle), cycle, loader, "mail", besides=("starttls", "starttls_at")):
        loader.parts.get(LATE_IMPORTS).add("gateway.mail.handshake")


def _wanted(cycle: MailCycle) -> Iterator[tuple[Server, ServerConf]]:
    """The servers with TLS, one by one: what is wrong is told in their order. Errors: ConfigError."""
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        listen = _tls_listen(server)
        server.starttls = conf.starttls != OFF
        server.starttls_only = conf.starttls == ONLY
        if listen is None and not server.starttls:
            continue
        _check(conf, *(("listen ... ssl", listen) if listen is not None else ("starttls", conf.starttls_at)))
        conf.alpn = (server.protocol.alpn,)
        yield server, conf


def _tls_listen(server: Server) -> Where | None:
    """Where the last `listen … ssl` of a server stands."""
    from gateway.modules.mail import listen

    found = [each.where for each in server.confs[listen.module].listens if each.ssl]
    return found[-1] if found else None


def _check(conf: ServerConf, mode: str, where: Where | None) -> None:
    """What TLS needs. Errors: ConfigError."""
    if not conf.certificates:
        raise ConfigError(f'no "ssl_certificate" is defined for the "{mode}" directive', where)
    if not conf.keys:
        raise ConfigError(f'no "ssl_certificate_key" is defined for the "{mode}" directive', where)
    if len(conf.keys) < len(conf.certificates):
        named = f'certificate "{conf.certificates[-1]}" and the "{mode}" directive'
        raise ConfigError(f'no "ssl_certificate_key" is defined for {named}', where)


module = MailModule(
    name="mail_ssl",
    server=ServerConf,
    prepare=prepare,
    directives=(
        *server_directives("mail", _WHERE, None),
        Directive("starttls", _WHERE, take(1), set_starttls, level="server"),
    ),
)
