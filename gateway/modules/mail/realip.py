"""mail_realip: the client's address from the PROXY protocol header of a proxy that is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, take
from gateway.core.networks import Network
from gateway.mail.module import MailModule
from gateway.serving.realip import set_from, told_by

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.session import Session


@dataclass(slots=True)
class ServerConf(Conf):
    proxies: list[Any] = setting(factory=list)


def _replacing(proxies: tuple[Network, ...]) -> Callable[[Session], None]:
    def replace(session: Session) -> None:
        found = told_by(session.proxy, session.peer[0], proxies)
        if found is not None:
            session.peer = found

    return replace


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        if conf.proxies:
            server.real_address = _replacing(tuple(conf.proxies))


module = MailModule(
    name="mail_realip",
    server=ServerConf,
    prepare=prepare,
    directives=(
        Directive("set_real_ip_from", Context.MAIL | Context.MAIL_SERVER, take(1), set_from, level="server"),
    ),
)
