"""tunnel: `tunnel_pass` and its family: CONNECT, a tunnel to where the client says, or to an upstream (nginx 1.31).

The end of one side is passed on as the end of that direction alone; nginx ends both.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from gateway._fast.http1_response import ResponseHead, parse_response_head
from gateway.config.conf import setting
from gateway.config.directive import LIF, LOCATION, SERVER, Command, Directive, take
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.modules.http import core as http_core
from gateway.protocol.cgi import PlainReader
from gateway.upstream.exchange import upgrade
from gateway.upstream.exchange.codec import Codec
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.exchange import Exchange
from gateway.upstream.exchange.pass_target import PassTarget, set_pass_target
from gateway.upstream.exchange.response import UpstreamHead
from gateway.upstream.exchange.shared_directives import CONDITIONS, family

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader

_TARGET: Final = "$host:$request_port"
_CONDITIONS: Final = {name: CONDITIONS[name] for name in ("error", "timeout", "off")}
_FAMILY: Final = (
    "bind",
    "socket_keepalive",
    "socket_rcvbuf",
    "socket_sndbuf",
    "connect_timeout",
    "send_timeout",
    "read_timeout",
    "buffer_size",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
)


def _connected() -> ResponseHead:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n\r\n")
    assert head is not None
    return head


# What stands for an upstream's answer: the connection is there.
_CONNECTED: Final = _connected()


@dataclass(slots=True)
class LocationConf(UpstreamConf):
    prefix: ClassVar[str] = "tunnel"

    passing: PassTarget | None = setting(None, inherit=False)  # what tunnel_pass said

    def check_together(self) -> None:
        """There is one buffer each way, of any size."""


def set_pass(conf: LocationConf, command: Command) -> None:
    """`tunnel_pass [address]`; the server takes CONNECT from now on."""
    if not command.args:
        command.args.append(_TARGET)
    set_pass_target(conf, command, redirects="never")
    server = command.scope.enclosing(SERVER)
    assert server is not None
    server.conf(http_core.module, "server").allow_connect = True


class TunnelCodec(Codec):
    """No protocol at all: bytes both ways."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(b"")

    def encode(self, exchange: Exchange) -> bytes:
        return b""

    def reader(self, exchange: Exchange) -> Reader:
        return PlainReader("http")

    def streams_body(self, request: Request) -> bool:
        return False


class TunnelExchange(Exchange):
    """An exchange that is through as soon as it is connected."""

    def _receive_head(self, stream: Any) -> bool:
        attempt = self.attempt
        attempt.head_read = self.lane.fresh()
        self.head = UpstreamHead(_CONNECTED, self.request)
        return True

    def _answer(self) -> Awaitable[Result]:
        self.request.response.status = _CONNECTED.status
        return upgrade.run(self)


def plan(conf: LocationConf, location: Location) -> Contribution:
    passing: PassTarget | None = conf.passing
    if passing is None:
        return NOTHING
    ask = passing.handler(conf, TunnelCodec(), TunnelExchange)

    def handler(request: Request) -> Result | Awaitable[Result]:
        if request.method != b"CONNECT":
            return 405
        return ask(request)

    return Contribution(content=handler)


module = HttpModule(
    name="tunnel",
    location=LocationConf,
    directives=(
        Directive("tunnel_pass", SERVER | LOCATION | LIF, take(0, 1), set_pass),
        *family("tunnel", conditions=_CONDITIONS, only=_FAMILY),
    ),
    passes=True,
    plan=plan,
)
