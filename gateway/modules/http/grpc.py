"""grpc: `grpc_pass` and its family: requests to a gRPC server, over HTTP/2.

A request's body goes on as it comes and an answer as it is sent, both at the same time, and trailers are passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from gateway.config.conf import UNSET, setting
from gateway.config.directive import EVERYWHERE, LIF, LOCATION, Command, Directive, take
from gateway.config.text import to_bytes
from gateway.http.module import NOTHING, Contribution, HttpModule
from gateway.http.setters import template
from gateway.modules.http.grpc_codec import SCHEMES, SECURE, GrpcCodec
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.pass_target import PassTarget, set_pass_target
from gateway.upstream.exchange.shared_directives import CONDITIONS, family
from gateway.upstream.exchange.tls_settings import tls_family

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location

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

    def check_together(self) -> None:
        """There is one only, of any size."""


def set_pass(conf: LocationConf, command: Command) -> None:
    set_pass_target(conf, command, SCHEMES, SECURE)
    conf.authority = template(command, command.args[0])


def add_header(conf: LocationConf, command: Command) -> None:
    name, value = command.args
    earlier = () if conf.set_headers is UNSET else conf.set_headers
    conf.set_headers = (*earlier, (to_bytes(name), template(command, value)))


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
