"""scgi: `scgi_pass` and its family: requests to an application server over SCGI."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from gateway.config.directive import EVERYWHERE, LIF, LOCATION, Directive, take
from gateway.config.loader import Loader, Scope
from gateway.http.module import HttpModule
from gateway.protocol import scgi
from gateway.protocol.cgi import PlainReader
from gateway.protocol.params import Params
from gateway.upstream.exchange import params
from gateway.upstream.exchange.codec import Codec
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.exchange import Exchange
from gateway.upstream.exchange.params import ParamsConf, add_param, params_of, plan_with
from gateway.upstream.exchange.pass_target import set_pass_target
from gateway.upstream.exchange.shared_directives import family

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader


@dataclass(slots=True)
class LocationConf(ParamsConf):
    prefix: ClassVar[str] = "scgi"
    default_hidden: ClassVar[tuple[bytes, ...]] = (*UpstreamConf.default_hidden, b"status")


def settle(scope: Scope, loader: Loader) -> None:
    params.settle(scope, loader, module)


class ScgiCodec(Codec):
    """SCGI with the settings of one location."""

    __slots__ = ("params",)

    def __init__(self, conf: LocationConf, *, caching: bool = False) -> None:
        super().__init__(b"scgi://")
        self.params = Params(params_of(conf, caching=caching), pass_headers=conf.pass_request_headers)

    def encode(self, exchange: Exchange) -> bytes:
        request = exchange.request
        head = request.head
        length = request.length_left()
        if head.chunked and request.body is not None:
            length = request.body.size
        return scgi.encode(self.params.pairs(request, head), max(0, length))

    def reader(self, exchange: Exchange) -> Reader:
        return PlainReader("uwsgi")

    def streams_body(self, request: Request) -> bool:
        # CONTENT_LENGTH comes first: a chunked body is read to its end before.
        return request.head.content_length >= 0 and not request.head.chunked


module = HttpModule(
    name="scgi",
    location=LocationConf,
    directives=(
        Directive("scgi_pass", LOCATION | LIF, take(1), partial(set_pass_target, redirects="fixed")),
        Directive("scgi_param", EVERYWHERE, take(2, 3), add_param),
        *family("scgi"),
    ),
    passes=True,
    plan=plan_with(ScgiCodec),
    settle=settle,
)
