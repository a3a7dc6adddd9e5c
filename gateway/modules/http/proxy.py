"""proxy: `proxy_pass` and its family: requests to a server of HTTP/1.x, or of HTTP/2 (`proxy_http_version 2`).

HTTP/1.1 with kept connections is the default, as since nginx 1.29.7. Not built yet: proxy_ssl_conf_command.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gateway.config.conf import UNSET, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    LIF,
    LIMIT_EXCEPT,
    LOCATION,
    Command,
    Directive,
    enum_,
    flag,
    take,
)
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.template import Template
from gateway.core.variables import Variable
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers, cycle_of, default_temp_path, location_of, template, template_setting
from gateway.modules.http.proxy_codec import ProxyCodec, host_field
from gateway.modules.http.proxy_http2 import Http2ProxyCodec
from gateway.modules.http.proxy_rewrite import add_cookie_domain, add_cookie_flags, add_cookie_path, add_redirect
from gateway.upstream.cache.exchange import CachingExchange
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.content import Pass
from gateway.upstream.exchange.exchange import Exchange
from gateway.upstream.exchange.http_target import Destination, parse_url
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.pass_target import PassTarget
from gateway.upstream.exchange.rewriting import constant, prefix_rule, redirect_field, rewrite_cookie
from gateway.upstream.exchange.shared_directives import CONDITIONS, family
from gateway.upstream.exchange.tls_settings import tls_family

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.upstream.exchange.rewriting import FlagRule, Rule
    from gateway.upstream.peers.upstreams import Upstream

Field = tuple[bytes, bytes]

HTTP2 = 2  # as a value of proxy_http_version, whose others are minor versions of HTTP/1

class ProxyPass:
    """What proxy_pass said: an upstream and its URL, or a template of one."""

    __slots__ = ("destination", "location", "passing", "secure", "template", "upstream")

    def __init__(
        self,
        passing: PassTarget,
        template: Template | None,
        upstream: Upstream | None = None,
        destination: Destination | None = None,
        location: bytes = b"",
    ) -> None:
        self.passing = passing
        self.template = template
        self.upstream = upstream
        self.destination = destination
        self.secure = _may_be_secure(template, destination)
        self.location = location  # what the URI of proxy_pass takes the place of


def _may_be_secure(template: Template | None, destination: Destination | None) -> bool:
    """Whether the URL is one of https, or may become one."""
    if destination is not None:
        return destination.scheme == b"https://"
    return template is not None and not template.text.lower().startswith("http://")


@dataclass(slots=True)
class LocationConf(UpstreamConf):
    prefix: ClassVar[str] = "proxy"
    passes_absence: ClassVar[bool] = True
    has_default_key: ClassVar[bool] = True
    default_hidden: ClassVar[tuple[bytes, ...]] = (*UpstreamConf.default_hidden, b"date", b"server", b"x-pad")

    passing: ProxyPass | None = setting(None, inherit=False)  # what proxy_pass said
    http_minor: int = setting(1)
    method: Template | None = setting(None)
    body: Template | None = setting(None)
    set_headers: tuple[tuple[bytes, Template], ...] = setting(())  # (name, Template)
    redirects: tuple[Rule, ...] | None = setting(None)  # rules; None: those that follow from proxy_pass, () for off
    cookie_domains: tuple[Rule, ...] = setting(())
    cookie_paths: tuple[Rule, ...] = setting(())
    cookie_flags: tuple[FlagRule, ...] = setting(())
    cache_convert_head: bool = setting(True)

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        UpstreamConf.merge(self, outer, nameless)
        if self.redirects is None and self.passing is not None and self.passing.destination is not None:
            self.redirects = (default_redirect(self.passing),)

    def protocols(self) -> tuple[bytes, ...]:
        return (b"h2",) if self.http_minor == HTTP2 else ()

    def rewrite_field(self, request: Request, lower: bytes, value: bytes) -> bytes | None:
        if lower == b"set-cookie":
            if self.cookie_domains or self.cookie_paths or self.cookie_flags:
                return rewrite_cookie(request, value, self.cookie_domains, self.cookie_paths, self.cookie_flags)
        elif self.redirects:
            return redirect_field(self.redirects, request, lower, value)
        return None


def default_redirect(passing: ProxyPass) -> Any:
    """`proxy_redirect default`: the URL of proxy_pass becomes the name of the location."""
    assert passing.destination is not None
    if passing.destination.uri:
        return prefix_rule(constant(passing.destination.url), constant(passing.location))
    return prefix_rule(constant(passing.destination.url + b"/"), constant(b"/"))


def set_pass(conf: LocationConf, command: Command) -> None:
    command.once(conf.passing)
    text = command.args[0]
    answers(conf, command)
    location = location_of(command)
    if location.name.endswith(b"/") and not location.nameless:
        location.auto_redirect = True
    upstreams = cycle_of(command).upstreams
    passing = PassTarget(upstreams, (), None)
    if "$" in text:
        conf.passing = ProxyPass(passing, template(command, text))
        return
    url = to_bytes(text)
    try:
        destination, target = parse_url(url)
    except ValueError as error:
        words = f' in upstream "{error.args[1].decode("utf-8", "surrogateescape")}"' if len(error.args) > 1 else ""
        command.fail(f"{error.args[0]}{words}")
    upstream = upstreams.refer(target, command.where)
    name = location.name
    if location.named or location.nameless or location.regex is not None:
        name = b""
        if destination.uri:
            command.fail(
                '"proxy_pass" cannot have URI part in location given by regular expression, or inside named '
                'location, or inside "if" statement, or inside "limit_except" block'
            )
    conf.passing = ProxyPass(passing, None, upstream, destination, name)


def set_redirect(conf: LocationConf, command: Command) -> None:
    add_redirect(conf, command, default_redirect)


def add_header(conf: LocationConf, command: Command) -> None:
    name, value = command.args
    earlier = () if conf.set_headers is UNSET else conf.set_headers
    conf.set_headers = (*earlier, (to_bytes(name), template(command, value)))


def settle(scope: Scope, loader: Loader) -> None:
    default_temp_path(scope, loader, module, "temp_path", "proxy_temp")


def own_fields(conf: LocationConf, destination: Destination, request: Request) -> list[Field]:
    """Host and what proxy_set_header says."""
    host = host_field(conf, destination)
    fields: list[Field] = [(b"Host", host if isinstance(host, bytes) else host(request))]
    fields += [(name, value(request)) for name, value in conf.set_headers if name.lower() != b"host"]
    return [field for field in fields if field[1]]


def plan(conf: LocationConf, location: Location) -> Contribution:
    passing: ProxyPass | None = conf.passing
    if passing is None:
        return NOTHING
    if passing.template is not None:
        return Contribution(content=lambda request: _run_variable(request, conf, passing))
    upstream, destination = passing.upstream, passing.destination
    assert upstream is not None and destination is not None
    if conf.cache is not None:
        codecs = _codecs(conf, destination, passing.location, whole=False)

        def cached(request: Request) -> Result | Awaitable[Result]:
            return CachingExchange(request, conf, *codecs, upstream).run()

        return Contribution(content=cached)
    codec = codec_class(conf)(conf, destination, passing.location, whole=False)
    return Contribution(content=Pass(conf, codec, upstream))


def _codecs(
    conf: LocationConf, destination: Destination, location: bytes, *, whole: bool
) -> tuple[ProxyCodec, ProxyCodec]:
    """For requests whose answer is not kept, and for those where it is."""
    made = codec_class(conf)
    return (
        made(conf, destination, location, whole=whole),
        made(conf, destination, location, whole=whole, caching=True),
    )


def codec_class(conf: LocationConf) -> type[ProxyCodec]:
    return Http2ProxyCodec if conf.http_minor == HTTP2 else ProxyCodec


async def _run_variable(request: Request, conf: LocationConf, passing: ProxyPass) -> Result:
    """A proxy_pass with variables: find where this request goes."""
    assert passing.template is not None
    url = passing.template(request)
    try:
        destination, target = parse_url(url)
    except ValueError as error:
        where = b' in upstream "%b"' % error.args[1] if len(error.args) > 1 else b' in "%b"' % url
        request.log("error", error.args[0].encode() + where)
        return 500
    if destination.uri.startswith(b"?"):
        destination = dataclasses.replace(destination, uri=b"/" + destination.uri)
    if conf.cache is not None:
        codecs = _codecs(conf, destination, b"", whole=True)
        find = functools.partial(passing.passing.find, request, target, conf)
        result = CachingExchange(request, conf, *codecs, None, find).run()
        return result if result is None or isinstance(result, int) else await result
    exchange = Exchange(request, conf, codec_class(conf)(conf, destination, b"", whole=True), None)
    return await exchange.run_found(functools.partial(passing.passing.find, request, target, conf))


def _destination(request: Request) -> Destination | None:
    """Where the request was passed in its present location; None: it was not."""
    exchange = request.upstream
    destination: Destination | None
    if exchange is None:
        destination = request.state.get(module)  # of a health check
    else:
        destination = exchange.codec.destination if exchange.conf is request.conf(module) else None
    return destination


def _proxy_host(request: Request) -> bytes | None:
    destination = _destination(request)
    return destination.host if destination is not None else None


def _proxy_port(request: Request) -> bytes | None:
    destination = _destination(request)
    return destination.port if destination is not None else None


def _add_forwarded(request: Request) -> bytes | None:
    forwarded: bytes | None = request.head.combined(b"x-forwarded-for")
    address: bytes = request.connection.remote()[0]
    return address if forwarded is None else forwarded + b", " + address


module = HttpModule(
    name="proxy",
    location=LocationConf,
    directives=(
        Directive("proxy_pass", LOCATION | LIF | LIMIT_EXCEPT, take(1), set_pass),
        Directive("proxy_redirect", EVERYWHERE, take(1, 2), set_redirect),
        Directive("proxy_cookie_domain", EVERYWHERE, take(1, 2), add_cookie_domain),
        Directive("proxy_cookie_path", EVERYWHERE, take(1, 2), add_cookie_path),
        Directive("proxy_cookie_flags", EVERYWHERE, take(1, 2, 3, 4), add_cookie_flags),
        Directive("proxy_set_header", EVERYWHERE, take(2), add_header),
        Directive("proxy_set_body", EVERYWHERE, take(1), template_setting("body")),
        Directive("proxy_method", EVERYWHERE, take(1), template_setting("method")),
        Directive("proxy_http_version", EVERYWHERE, take(1), enum_("http_minor", {"1.0": 0, "1.1": 1, "2": 2})),
        Directive("proxy_cache_convert_head", EVERYWHERE, FLAG, flag("cache_convert_head")),
        Directive("proxy_pass_trailers", EVERYWHERE, FLAG, flag("pass_trailers")),
        *tls_family("proxy"),
        *family(
            "proxy",
            conditions={**CONDITIONS, "http_502": Condition.HTTP_502, "http_504": Condition.HTTP_504},
        ),
    ),
    variables=(
        Variable("proxy_host", _proxy_host, changeable=True),
        Variable("proxy_port", _proxy_port, changeable=True),
        Variable("proxy_add_x_forwarded_for", _add_forwarded),
    ),
    passes=True,
    plan=plan,
    settle=settle,
)
