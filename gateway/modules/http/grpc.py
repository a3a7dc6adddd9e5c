"""grpc: `grpc_pass` and its family: requests to a gRPC server, over HTTP/2.

A request's body goes on as it comes and an answer as it is sent, both at the same time, and trailers are passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from gateway._fast import uri as uri_grammar
from gateway.config.conf import UNSET, setting
from gateway.config.directive import EVERYWHERE, LIF, LOCATION, Command, Directive, take
from gateway.config.text import to_bytes
from gateway.core.template import Template
from gateway.http.module import NOTHING, Contribution, HttpModule
from gateway.http.setters import template
from gateway.upstream.exchange.codec import Codec
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.hints import on_hints_of
from gateway.upstream.exchange.http2 import Http2Reader, request_block
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.pass_target import PassTarget, set_pass_target, strip_scheme
from gateway.upstream.exchange.shared_directives import CONDITIONS, family
from gateway.upstream.exchange.tls_settings import tls_family
from gateway.upstream.peers.address import parse_target

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.exchange.exchange import Exchange
    from gateway.upstream.exchange.tls import ClientTls

SCHEMES: Final = (b"grpc://",)
SECURE: Final = b"grpcs://"

# Fields of the client's connection, and those that are made anew: not passed on as they came.
_OWN: Final = frozenset(
    {
        b"host",
        b"connection",
        b"proxy-connection",
        b"content-length",
        b"transfer-encoding",
        b"te",
        b"keep-alive",
        b"expect",
        b"upgrade",
    }
)

# Of what the protocols towards upstreams share.
_SHARED: Final = (
    "bind",
    "socket_keepalive",
    "socket_rcvbuf",
    "socket_sndbuf",
    "connect_timeout",
    "send_timeout",
    "read_timeout",
    "buffer_size",
    "intercept_errors",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
    "pass_header",
    "hide_header",
    "ignore_headers",
)


@dataclass(slots=True)
class LocationConf(UpstreamConf):
    prefix: ClassVar[str] = "grpc"
    change_buffering: ClassVar[bool] = False
    passes_absence: ClassVar[bool] = True
    default_hidden: ClassVar[tuple[bytes, ...]] = (*UpstreamConf.default_hidden, b"date", b"server")

    passing: PassTarget | None = setting(None, inherit=False)  # what grpc_pass said
    authority: Template | None = setting(None, inherit=False)  # a Template of its target
    set_headers: tuple[tuple[bytes, Template], ...] = setting(())  # (name, Template)
    buffering: bool = setting(False)
    request_buffering: bool = setting(False)
    pass_trailers: bool = setting(True)

    def protocols(self) -> tuple[bytes, ...]:
        return (b"h2",)

    def _check_buffers(self) -> None:
        """There is one only, of any size."""


def set_pass(conf: LocationConf, command: Command) -> None:
    set_pass_target(conf, command, SCHEMES, SECURE)
    conf.authority = template(command, command.args[0])


def add_header(conf: LocationConf, command: Command) -> None:
    name, value = command.args
    earlier = () if conf.set_headers is UNSET else conf.set_headers
    conf.set_headers = (*earlier, (to_bytes(name), template(command, value)))


class GrpcCodec(Codec):
    """HTTP/2 with the settings of one location."""

    __slots__ = ("authority", "conf", "defaults", "hidden")

    def __init__(self, conf: LocationConf, tls: ClientTls | None = None) -> None:
        super().__init__(b"grpc://" if tls is None else SECURE, tls)
        self.http2 = True
        self.conf = conf
        names = {name.lower() for name, _ in conf.set_headers}
        made = ((b"content-length", _content_length), (b"te", _te))
        self.defaults = tuple((name, make) for name, make in made if name not in names)
        self.hidden = _OWN | names
        target = conf.authority
        assert target is not None
        self.authority: Callable[[Request], bytes] = lambda request: _authority(target(request))
        if target.constant is not None:
            authority = _authority(target.constant)
            self.authority = lambda _: authority

    def encode(self, exchange: Exchange) -> bytes:
        request = exchange.request
        authority = b""
        fields = []
        for name, value in self.conf.set_headers:
            text = value(request)
            if name.lower() == b"host":
                authority = text
            elif text:
                fields.append((name, text))
        for name, make in self.defaults:
            text = make(request)
            if text:
                fields.append((name, text))
        if self.conf.pass_request_headers:
            hidden = self.hidden
            fields += [field for field in request.head.fields() if field[0].lower() not in hidden]
        authority = authority or self.authority(request)
        return request_block(request.method, self.tls is not None, _target(request), authority, fields)

    def reader(self, exchange: Exchange) -> Reader:
        request = exchange.request
        return Http2Reader(head_only=request.method == b"HEAD", on_hints=on_hints_of(request, self.conf))

    def streams_body(self, request: Request) -> bool:
        return True


def _authority(text: bytes) -> bytes:
    """Host and port of a target as they stand there."""
    text = strip_scheme(text, (*SCHEMES, SECURE))
    if text[:5].lower() == b"unix:":
        return b"localhost"
    try:
        target = parse_target(text)
    except ValueError:
        return text
    return target.host if target.no_port else b"%b:%d" % (target.host, target.port)


def _target(request: Request) -> bytes:
    if request.valid_unparsed_uri and request.parent is None:
        return request.head.target
    path = uri_grammar.escape(request.uri, "uri")
    return path + b"?" + request.args if request.args else path


def _content_length(request: Request) -> bytes:
    length = request.head.content_length
    return b"%d" % length if length >= 0 else b""


def _te(request: Request) -> bytes:
    te = request.head.te
    return b"trailers" if te is not None and b"trailers" in te.lower() else b""


def plan(conf: LocationConf, location: Location) -> Contribution:
    passing: PassTarget | None = conf.passing
    if passing is None:
        return NOTHING
    plain = passing.handler(conf, GrpcCodec(conf))
    if not passing.secure:
        return Contribution(content=plain)
    secured = passing.handler(conf, GrpcCodec(conf, conf.client_tls))
    return Contribution(content=passing.by_scheme(plain, secured))


module = HttpModule(
    name="grpc",
    location=LocationConf,
    directives=(
        Directive("grpc_pass", LOCATION | LIF, take(1), set_pass),
        Directive("grpc_set_header", EVERYWHERE, take(2), add_header),
        *tls_family("grpc"),
        *family(
            "grpc",
            conditions={**CONDITIONS, "http_502": Condition.HTTP_502, "http_504": Condition.HTTP_504},
            only=_SHARED,
        ),
    ),
    passes=True,
    plan=plan,
)
