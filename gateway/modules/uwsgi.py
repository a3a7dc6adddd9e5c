"""uwsgi: `uwsgi_pass` and its family: requests to an application server over the uwsgi protocol.

Beyond nginx: a packet over 65,535 bytes is answered with 431, not 500, and the log says what the protocol allows. A
host name that only variables tell is resolved by the system, since there is no `resolver` yet. Not built yet:
`suwsgi://` and the uwsgi_ssl_ directives, the cache, `uwsgi_store`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from gateway.config.conf import UNSET, Conf, setting
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
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import cycle_of, default_temp_path, location_of, template
from gateway.http.template import Template, compile_template
from gateway.http.variables import Variable
from gateway.protocol.cgi import PlainReader
from gateway.protocol.uwsgi import MAX_SIZE, PacketEncoder, Param
from gateway.upstream.conf import UpstreamConf
from gateway.upstream.directives import family
from gateway.upstream.exchange import Exchange, RequestRefused
from gateway.upstream.passing import Passing, parse_pass

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader

SCHEMES: Final = (b"uwsgi://",)


@dataclass(slots=True)
class MainConf(Conf):
    default_host: Any = None  # the template of HTTP_HOST where no uwsgi_param gives one


@dataclass(slots=True)
class LocationConf(UpstreamConf):
    prefix: ClassVar[str] = "uwsgi"

    passing: Any = setting(None, inherit=False)  # what uwsgi_pass said
    params: Any = setting(())  # (name, Template, if_not_empty)
    modifier1: Any = setting(0)
    modifier2: Any = setting(0)
    string: Any = setting("")


def set_pass(conf: LocationConf, command: Command) -> None:
    if conf.passing is not UNSET:
        command.duplicate()
    text = command.args[0]
    compiled = template(command, text)
    if compiled.constant is None:
        conf.passing = Passing(cycle_of(command).upstreams, SCHEMES, compiled)
        return
    if text[:9].lower() == "suwsgi://":
        command.fail("suwsgi protocol requires SSL support, which is not supported yet")
    target = parse_pass(compiled.constant, SCHEMES, command)
    upstream = cycle_of(command).upstreams.refer(target, command.where)
    conf.passing = Passing(cycle_of(command).upstreams, SCHEMES, None, upstream)
    location = location_of(command)
    if location.name.endswith(b"/"):
        location.auto_redirect = True


def add_param(conf: LocationConf, command: Command) -> None:
    name, value, *rest = command.args
    if rest and rest[0] != "if_not_empty":
        command.fail(f'invalid parameter "{rest[0]}"')
    earlier = () if conf.params is UNSET else conf.params
    conf.params = (*earlier, (to_bytes(name), template(command, value), bool(rest)))


def settle(scope: Scope, loader: Loader) -> None:
    default_temp_path(scope, loader, module, "temp_path", "uwsgi_temp")
    host = compile_template("$host$is_request_port$request_port", scope.owner.variables)
    scope.conf(module, "main").default_host = host


class UwsgiCodec:
    """The uwsgi protocol with the settings of one location."""

    __slots__ = ("encoder",)

    schema = b"uwsgi://"

    def __init__(self, conf: LocationConf, default_host: Template) -> None:
        params: list[Param] = [(name, _value(value), skip) for name, value, skip in conf.params]
        if not any(name.upper() == b"HTTP_HOST" for name, _, _ in params):
            params.append((b"HTTP_HOST", _value(default_host), True))
        self.encoder = PacketEncoder(
            params,
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


def _value(compiled: Template) -> Any:
    """What the encoder evaluates: the bytes, or the shortest way to them."""
    if compiled.constant is not None:
        return compiled.constant
    if len(compiled.parts) == 1:
        part = compiled.parts[0]
        return part.get if isinstance(part, Variable) else part
    return compiled


def plan(conf: LocationConf, location: Location) -> Contribution:
    passing: Passing | None = conf.passing
    if passing is None:
        return NOTHING
    codec = UwsgiCodec(conf, location.scope.conf(module, "main").default_host)
    fixed = passing.upstream

    def handler(request: Request) -> Awaitable[Result]:
        if fixed is not None:
            return Exchange(request, conf, codec, fixed).run()
        return passing.run(request, conf, codec)

    return Contribution(content=handler)


module = HttpModule(
    name="uwsgi",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("uwsgi_pass", LOCATION | LIF, take(1), set_pass),
        Directive("uwsgi_modifier1", EVERYWHERE, take(1), number("modifier1", minimum=0, maximum=255)),
        Directive("uwsgi_modifier2", EVERYWHERE, take(1), number("modifier2", minimum=0, maximum=255)),
        Directive("uwsgi_param", EVERYWHERE, take(2, 3), add_param),
        Directive("uwsgi_string", EVERYWHERE, take(1), string("string")),
        *family("uwsgi"),
    ),
    plan=plan,
    settle=settle,
)
