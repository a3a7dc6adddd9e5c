"""ssl_preread: what a TLS client asks for, read from its first bytes, which are passed on as they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.host import validate_host
from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, Context, Directive, flag
from gateway.core.variables import Variable
from gateway.protocol.client_hello import ClientHello, parse
from gateway.stream.module import NOTHING, OK, Contribution, Phase, Result, StreamModule
from gateway.stream.preread import preread

if TYPE_CHECKING:
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_VERSIONS: Final = {
    0x0002: b"SSLv2",
    0x0300: b"SSLv3",
    0x0301: b"TLSv1",
    0x0302: b"TLSv1.1",
    0x0303: b"TLSv1.2",
    0x0304: b"TLSv1.3",
}


@dataclass(slots=True)
class ServerConf(Conf):
    enabled: bool = setting(False)


async def read_hello(session: Session) -> Result:
    def look(data: bytes) -> Result | bool:
        try:
            hello = parse(data)
        except ValueError:
            return None  # no TLS, or none that we understand: it is passed on all the same
        if hello is None:
            if data:
                session.state[module] = ClientHello(version=0)  # begun: the variables are empty and not unknown
            return False
        session.state[module] = hello
        checked = validate_host(hello.server_name.lower()) if hello.server_name else None
        if checked is not None:
            session.switch(session.address.names.find(checked[0], session))
        return OK

    return await preread(session, look)


def _hello(session: Session) -> ClientHello | None:
    return session.state.get(module)


def _protocol(session: Session) -> bytes | None:
    hello = _hello(session)
    return _VERSIONS.get(hello.version, b"") if hello is not None else None


def _name(session: Session) -> bytes | None:
    hello = _hello(session)
    return (hello.server_name or b"").lower() if hello is not None else None


def _alpn(session: Session) -> bytes | None:
    hello = _hello(session)
    return b",".join(hello.alpn) if hello is not None else None


def plan(conf: ServerConf, server: Server) -> Contribution:
    return Contribution(handlers={Phase.PREREAD: read_hello}) if conf.enabled else NOTHING


module = StreamModule(
    name="ssl_preread",
    server=ServerConf,
    directives=(
        Directive(
            "ssl_preread", Context.STREAM | Context.STREAM_SERVER, FLAG, flag("enabled"), level="server"
        ),
    ),
    variables=(
        Variable("ssl_preread_protocol", _protocol),
        Variable("ssl_preread_server_name", _name),
        Variable("ssl_preread_alpn_protocols", _alpn),
    ),
    plan=plan,
)
