"""memcached: `memcached_pass`: answers GET and HEAD with the value that memcached has under $memcached_key.

A key that memcached does not have is a 404, for `error_page` to send to where values are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from gateway._fast.uri import escape
from gateway.config.conf import setting
from gateway.config.directive import EVERYWHERE, LIF, LOCATION, Command, Directive, number, take
from gateway.http.module import NOTHING, Contribution, HttpModule
from gateway.http.setters import cycle_of
from gateway.modules.http.types import content_type_of
from gateway.protocol.memcached import MemcachedReader, encode_get
from gateway.upstream.exchange.codec import Codec, RequestRefused
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.exchange import Exchange
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.pass_target import PassTarget, set_pass_target
from gateway.upstream.exchange.shared_directives import CONDITIONS, family

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gateway.core.variables import Variable
    from gateway.http.locations import Location
    from gateway.http.module import Result
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader

_CONDITIONS: Final = {
    "error": CONDITIONS["error"],
    "timeout": CONDITIONS["timeout"],
    "invalid_response": Condition.INVALID_HEADER,
    "not_found": Condition.HTTP_404,
    "off": CONDITIONS["off"],
}
_FAMILY: Final = (
    "bind",
    "socket_keepalive",
    "connect_timeout",
    "send_timeout",
    "read_timeout",
    "buffer_size",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
)


@dataclass(slots=True)
class LocationConf(UpstreamConf):
    prefix: ClassVar[str] = "memcached"
    change_buffering: ClassVar[bool] = False
    intercept_404: ClassVar[bool] = True

    passing: PassTarget | None = setting(None, inherit=False)  # what memcached_pass said
    key: Any = setting(None)  # the variable
    gzip_flag: int = setting(0)

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        UpstreamConf.merge(self, outer, nameless)
        # nginx has these without directives
        self.buffering = False
        self.intercept_errors = True
        self.pass_request_body = False
        self.force_ranges = True

    def check_together(self) -> None:
        """There is one buffer, of any size."""


def set_pass(conf: LocationConf, command: Command) -> None:
    host, colon, _ = command.args[0].rpartition(":")
    if "$" in command.args[0]:
        # nginx takes it for a name, which is never found
        command.fail(f'host not found in upstream "{host}"' if colon else f'no port in upstream "{command.args[0]}"')
    set_pass_target(conf, command)
    conf.key = cycle_of(command).variables.reference("memcached_key", command.where)


class MemcachedCodec(Codec):
    """memcached's protocol with the settings of one location."""

    __slots__ = ("gzip_flag", "variable")

    def __init__(self, conf: LocationConf) -> None:
        super().__init__(b"memcached://")
        self.variable: Variable = conf.key
        self.gzip_flag: int = conf.gzip_flag

    def key(self, request: Request) -> bytes:
        return escape(self.variable.get(request) or b"", "memcached")

    def encode(self, exchange: Exchange) -> bytes:
        key = self.key(exchange.request)
        if not key:
            raise RequestRefused(500, b'the "$memcached_key" variable is not set')
        return encode_get(key)

    def reader(self, exchange: Exchange) -> Reader:
        return MemcachedReader(self.key(exchange.request), gzip_flag=self.gzip_flag, log=exchange.log)

    def streams_body(self, request: Request) -> bool:
        return False


def plan(conf: LocationConf, location: Location) -> Contribution:
    passing: PassTarget | None = conf.passing
    if passing is None:
        return NOTHING
    ask = passing.handler(conf, MemcachedCodec(conf))

    def handler(request: Request) -> Result | Awaitable[Result]:
        if request.method not in (b"GET", b"HEAD"):
            return 405
        request.response.content_type = content_type_of(request)
        return ask(request)

    return Contribution(content=handler)


module = HttpModule(
    name="memcached",
    location=LocationConf,
    directives=(
        Directive("memcached_pass", LOCATION | LIF, take(1), set_pass),
        Directive("memcached_gzip_flag", EVERYWHERE, take(1), number("gzip_flag")),
        *family("memcached", conditions=_CONDITIONS, only=_FAMILY),
    ),
    passes=True,
    plan=plan,
)
