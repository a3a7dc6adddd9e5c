"""stream_return: `return`, a text for the client, and the session's end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Command, Context, Directive, take
from gateway.stream.module import NOTHING, SUCCESS, Contribution, StreamModule
from gateway.stream.setters import template

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

# nginx gives the client this long to take it.
_SEND_TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class ServerConf(Conf):
    text: Template | None = setting(None, inherit=False)


def set_return(conf: ServerConf, command: Command) -> None:
    command.once(conf.text)
    conf.text = template(command, command.args[0])
    command.scope.owner.content_by = module


def plan(conf: ServerConf, server: Server) -> Contribution:
    text: Template | None = conf.text
    if text is None:
        return NOTHING

    async def answer(session: Session) -> int:
        stream = session.stream
        stream.send(text(session))
        while stream.pending and not stream.error:
            before = stream.pending
            if not await stream.wait_room(before, session.lane.now + _SEND_TIMEOUT_S):
                session.log("info", b"connection timed out (110: Connection timed out)")
                break
        return SUCCESS

    return Contribution(content=answer)


module = StreamModule(
    name="stream_return",
    server=ServerConf,
    directives=(Directive("return", Context.STREAM_SERVER, take(1), set_return, level="server"),),
    plan=plan,
)
