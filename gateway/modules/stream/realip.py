"""stream_realip: the client's address from the PROXY protocol header of a proxy that is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, take
from gateway.core.networks import Network
from gateway.core.variables import Variable
from gateway.serving.realip import set_from, told_by
from gateway.stream.module import NOTHING, Contribution, Phase, Result, StreamModule

if TYPE_CHECKING:
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_BEFORE: Final = "realip"  # in session.state: the address that the connection has


@dataclass(slots=True)
class ServerConf(Conf):
    proxies: list[Network] = setting(factory=list)


def plan(conf: ServerConf, server: Server) -> Contribution:
    proxies: tuple[Network, ...] = tuple(conf.proxies)
    if not proxies:
        return NOTHING

    def replace(session: Session) -> Result:
        found = told_by(session.proxy, session.remote()[0], proxies)
        if found is not None:
            session.state[_BEFORE] = session.peer
            session.peer = found
        return None

    return Contribution(handlers={Phase.POST_ACCEPT: replace})


def _original(session: Session) -> tuple[bytes, int]:
    before: tuple[bytes, int] = session.state.get(_BEFORE, session.peer)
    return before


def _original_port(session: Session) -> bytes:
    port = _original(session)[1]
    return b"%d" % port if port else b""


module = StreamModule(
    name="stream_realip",
    server=ServerConf,
    directives=(
        Directive("set_real_ip_from", Context.STREAM | Context.STREAM_SERVER, take(1), set_from, level="server"),
    ),
    variables=(
        Variable("realip_remote_addr", lambda session: _original(session)[0]),
        Variable("realip_remote_port", _original_port),
    ),
    plan=plan,
)
