"""uwsgi: `uwsgi_pass` and its family: requests to an application server over the uwsgi protocol.

Beyond nginx: a packet over 65,535 bytes is answered with 431, not 500, and the log says what the protocol allows. Not
built yet: uwsgi_ssl_conf_command, the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from gateway.config.conf import setting
from gateway.config.directive import (
    EVERYWHERE,
    LIF,
    LOCATION,
    Command,
    Directive,
    number,
    string,
    take,
)
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.http.module import HttpModule
from gateway.protocol.cgi import PlainReader
from gateway.protocol.uwsgi import MAX_SIZE, PacketEncoder
from gateway.upstream import params
from gateway.upstream.codec import Codec, RequestRefused
from gateway.upstream.directives import family
from gateway.upstream.exchange import Exchange
from gateway.upstream.params import ParamsConf, add_param, params_of, plan_with
from gateway.upstream.passing import parse_passing
from gateway.upstream.tls_settings import tls_family

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.tls import ClientTls

SCHEMES: Final = (b"uwsgi://",)
SECURE: Final = b"suwsgi://"


@dataclass(slots=True)
class LocationConf(ParamsConf):
    prefix: ClassVar[str] = "uwsgi"

    modifier1: Any = setting(0)
    modifier2: Any = setting(0)
    string: Any = setting("")


def set_pass(conf: LocationConf, command: Command) -> None:
    parse_passing(conf, command, SCHEMES, SECURE)


def settle(scope: Scope, loader: Loader) -> None:
    params.settle(scope, loader, module)


class UwsgiCodec(Codec):
    """The uwsgi protocol with the settings of one location."""

    __slots__ = ("encoder",)

    def __init__(self, conf: LocationConf, *, caching: bool = False, tls: ClientTls | None = None) -> None:
        super().__init__(b"uwsgi://" if tls is None else SECURE, tls)
        self.encoder = PacketEncoder(
            params_of(conf, caching=caching),
            modifier1=conf.modifier1,
            modifier2=conf.modifier2,
            pass_headers=conf.pass_request_headers,
            tail=to_bytes(conf.string),
        )

    def encode(self, exchange: Exchange) -> bytes:
        try:
            return self.encoder.encode(exchange.request, exchange.request.head)
        except OverflowError as error:
            message = b"uwsgi request is too big: %d, the protocol allows %d bytes" % (error.args[0], MAX_SIZE)
            raise RequestRefused(431, message) from None

    def reader(self, exchange: Exchange) -> Reader:
        return PlainReader("uwsgi")

    def streams_body(self, request: Request) -> bool:
        # The application wants CONTENT_LENGTH first: a chunked body is read to its end before.
        return request.head.content_length > 0 and not request.head.chunked


module = HttpModule(
    name="uwsgi",
    location=LocationConf,
    directives=(
        Directive("uwsgi_pass", LOCATION | LIF, take(1), set_pass),
        Directive("uwsgi_modifier1", EVERYWHERE, take(1), number("modifier1", minimum=0, maximum=255)),
        Directive("uwsgi_modifier2", EVERYWHERE, take(1), number("modifier2", minimum=0, maximum=255)),
        Directive("uwsgi_param", EVERYWHERE, take(2, 3), add_param),
        Directive("uwsgi_string", EVERYWHERE, take(1), string("string")),
        *tls_family("uwsgi"),
        *family("uwsgi"),
    ),
    plan=plan_with(UwsgiCodec),
    settle=settle,
)
