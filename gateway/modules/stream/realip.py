"""stream_realip: the client's address from the PROXY protocol header of a proxy that is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, take
from gateway.core.networks import Network, find_forwarded, parse_address
from gateway.core.variables import Variable
from gateway.modules.http.realip import address_text, set_from
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
        header = session.proxy
        address = parse_address(session.remote()[0])
        if header is None or address is None or not header.source:
            return None
        found = find_forwarded(address, [header.source], proxies, False)
        if found is not None:
            session.state[_BEFORE] = session.peer
            session.peer = (address_text(found[0]), header.source_port)
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
