"""mail: the block itself and its servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.directive import MAIN, NOARGS, Command, Context, Directive
from gateway.mail.cycle import MailCycle
from gateway.mail.module import MailModule
from gateway.mail.servers import Server
from gateway.modules.mail import core as mail_core
from gateway.modules.mail import listen as mail_listen
from gateway.serving.block import read_block, read_server

if TYPE_CHECKING:
    from collections.abc import Sequence


def mail_block(modules: Sequence[MailModule]) -> Any:
    """The setter of `mail { }` for these modules."""

    def set_mail(conf: Any, command: Command) -> None:
        loader = command.loader
        cycle = MailCycle(modules, loader.prefix)

        def merge() -> None:
            for server in cycle.servers:
                server.core = server.confs[mail_core.module]

        read_block(cycle, command, Context.MAIL, merge)
        mail_listen.settle(cycle, loader)

    return set_mail


def set_server(conf: Any, command: Command) -> None:
    read_server(command, Context.MAIL_SERVER, Server, mail_listen.module)


def directives(modules: Sequence[MailModule]) -> tuple[Directive, ...]:
    """The directives that make the mail block and its servers."""
    return (
        Directive("mail", MAIN, NOARGS, mail_block(modules), block=True),
        Directive("server", Context.MAIL, NOARGS, set_server, block=True),
    )
