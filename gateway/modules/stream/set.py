"""stream_set: `set`, a value for a variable before the session goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, take
from gateway.http.setters import variable_name
from gateway.stream.module import NOTHING, Contribution, Phase, Result, StreamModule
from gateway.stream.setters import cycle_of, template

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.core.variables import Variable
    from gateway.stream.servers import Server
    from gateway.stream.session import Session


@dataclass(slots=True)
class ServerConf(Conf):
    values: list[tuple[Variable, Template]] = setting(factory=list, inherit=False)  # in their order


def _empty(session: Session) -> bytes:
    return b""


def set_set(conf: ServerConf, command: Command) -> None:
    name = variable_name(command, command.args[0])
    variable = cycle_of(command).variables.assign(name, _empty, command.where)
    conf.values = [*(() if conf.values is UNSET else conf.values), (variable, template(command, command.args[1]))]


def plan(conf: ServerConf, server: Server) -> Contribution:
    if not conf.values:
        return NOTHING
    values = tuple(conf.values)

    def assign(session: Session) -> Result:
        for variable, value in values:
            text = value(session)
            if variable.set is not None:
                variable.set(session, text)
            else:
                session.values[variable.name] = text
        return None

    return Contribution(handlers={Phase.PREACCESS: assign})


module = StreamModule(
    name="stream_set",
    server=ServerConf,
    directives=(Directive("set", Context.STREAM_SERVER, take(2), set_set, level="server"),),
    plan=plan,
)
