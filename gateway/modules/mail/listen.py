"""mail_listen: `listen` of the mail block. There is one server for each address; its port may say the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least
from gateway.config.loader import Loader
from gateway.mail.cycle import MailCycle
from gateway.mail.module import MailModule
from gateway.mail.servers import AddressServer
from gateway.modules.mail import core
from gateway.serving.listen import Listen, SetListen, place
from gateway.serving.listening import Listening


@dataclass(slots=True)
class ServerConf(Conf):
    listens: list[Any] = setting(factory=list, inherit=False)


_SET = SetListen(
    unknown=frozenset({"default_server", "reuseport", "deferred", "fastopen", "accept_filter"}),
    one_server=True,
)


def set_listen(conf: ServerConf, command: Command) -> None:
    _SET(conf, command)
    settings = command.scope.conf(core.module, "server")
    if settings.protocol is not UNSET:
        return
    for module in command.scope.parent.owner.modules:  # type: ignore[union-attr]
        address = conf.listens[-1].address.address
        if module.protocol is not None and isinstance(address, tuple) and address[1] in module.protocol.ports:
            settings.protocol = module.protocol


def settle(cycle: MailCycle, loader: Loader) -> None:
    """Called when all servers are merged and prepared."""
    listens = [listen for server in cycle.servers for listen in server.confs[module].listens]
    place(cycle, listens, loader, Listening, _server_of)


def _server_of(group: list[Listen], loader: Loader) -> AddressServer:
    (listen,) = group
    return AddressServer(listen.server, listen.address.text, listen.proxy_protocol, listen.ssl)


module = MailModule(
    name="mail_listen",
    server=ServerConf,
    directives=(Directive("listen", Context.MAIL_SERVER, at_least(1), set_listen, level="server"),),
)
