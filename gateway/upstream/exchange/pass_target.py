"""Where a `*_pass` leads: fixed in the configuration, or found for each request by variables."""

from __future__ import annotations

import functools
from typing import Any, Literal

from gateway.config.directive import Command
from gateway.core.lane import current_fibre, park
from gateway.core.resolver import Lookup, Resolver, words_of
from gateway.core.template import Template
from gateway.http.module import Handler, Result
from gateway.http.request import Request
from gateway.http.setters import answers, cycle_of, location_of, template
from gateway.upstream.cache.exchange import CachingExchange
from gateway.upstream.exchange.codec import Codec
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.content import Pass
from gateway.upstream.exchange.exchange import CLIENT_CLOSED, Exchange
from gateway.upstream.peers.address import Target, inet_address, parse_target
from gateway.upstream.peers.upstreams import Upstream, Upstreams, several, single


def strip_scheme(text: bytes, schemes: tuple[bytes, ...]) -> bytes:
    """The target without the protocol's scheme, which may be left out."""
    lower = text.lower()
    for scheme in schemes:
        if lower.startswith(scheme):
            return text[len(scheme) :]
    return text


def parse_pass(text: bytes, schemes: tuple[bytes, ...], command: Command) -> Target:
    """The target of a `*_pass` without variables; fails the command."""
    rest = strip_scheme(text, schemes)
    try:
        return parse_target(rest)
    except ValueError as error:
        command.fail(f'{error} in upstream "{rest.decode("utf-8", "surrogateescape")}"')


def set_pass_target(
    conf: Any,
    command: Command,
    schemes: tuple[bytes, ...] = (),
    secure: bytes = b"",
    redirects: Literal["always", "fixed", "never"] = "always",
) -> None:
    """`*_pass` of a protocol whose target is an address alone: sets `conf.passing`. `secure`: the scheme with TLS.

    `redirects`: whether a location /x/ redirects /x to it; `fixed`: where the target is without variables.
    """
    command.once(conf.passing)
    answers(conf, command)
    location = location_of(command)
    upstreams = cycle_of(command).upstreams
    compiled = template(command, command.args[0])
    if location.name.endswith(b"/") and (
        redirects == "always" or (redirects == "fixed" and compiled.constant is not None)
    ):
        location.auto_redirect = True
    if secure:
        schemes = (*schemes, secure)
    if compiled.constant is None:
        conf.passing = PassTarget(upstreams, schemes, compiled, secure=secure)
        return
    if not compiled.constant.lower().startswith(secure):
        secure = b""
    target = parse_pass(compiled.constant, schemes, command)
    conf.passing = PassTarget(upstreams, schemes, None, upstreams.refer(target, command.where), secure)


class PassTarget:
    """What a `*_pass` says."""

    __slots__ = ("schemes", "secure", "template", "upstream", "upstreams")

    def __init__(
        self,
        upstreams: Upstreams,
        schemes: tuple[bytes, ...],
        template: Template | None,
        upstream: Upstream | None = None,
        secure: bytes = b"",
    ) -> None:
        self.upstreams = upstreams
        self.schemes = schemes
        self.template = template
        self.upstream = upstream  # without variables
        self.secure = secure  # the scheme with TLS, if it leads to TLS, or, with variables, may do so

    def handler(
        self,
        conf: UpstreamConf,
        codec: Codec,
        exchange: type[Exchange] = Exchange,
        caching_codec: Codec | None = None,
    ) -> Handler:
        """The content handler of a location that passes its requests on; `caching_codec` where it has a cache."""
        fixed = self.upstream
        if caching_codec is not None:
            asks = caching_codec
            if fixed is None:
                return lambda request: CachingExchange(
                    request, conf, codec, asks, None, lambda: self.found(request, conf)
                ).run()
            return lambda request: CachingExchange(request, conf, codec, asks, fixed).run()
        if fixed is None:
            return lambda request: self.run(request, conf, codec, exchange)
        if exchange is Exchange:
            return Pass(conf, codec, fixed)
        return lambda request: exchange(request, conf, codec, fixed).run()

    def by_scheme(self, plain: Handler, secured: Handler) -> Handler:
        """The handler for what may lead to TLS: with variables, each request's target says."""
        template, secure = self.template, self.secure
        if template is None:
            return secured
        return lambda request: (secured if template(request).lower().startswith(secure) else plain)(request)

    async def run(
        self, request: Request, conf: UpstreamConf, codec: Codec, exchange: type[Exchange] = Exchange
    ) -> Result:
        """Find where this request goes, and let it go there: the address is looked up once its body is here."""
        target = self.target(request)
        if target is None:
            return 500
        asked = exchange(request, conf, codec, None)
        return await asked.run_found(functools.partial(self.find, request, target, conf))

    def target(self, request: Request) -> Target | None:
        """What the variables name for this request, if that can be an address."""
        assert self.template is not None
        text = strip_scheme(self.template(request), self.schemes)
        try:
            return parse_target(text)
        except ValueError as error:
            request.log("error", b'%b in upstream "%b"' % (str(error).encode(), text))
            return None

    async def found(self, request: Request, conf: UpstreamConf) -> Upstream | int:
        """The upstream that the variables name for this request; a status if there is none."""
        target = self.target(request)
        return 500 if target is None else await self.find(request, target, conf)

    async def find(self, request: Request, target: Target, conf: UpstreamConf | None = None) -> Upstream | int:
        """The upstream that a target of the run time names; a status if there is none."""
        upstream = self.upstreams.find(target)
        if upstream is not None:
            return upstream
        address = target.address
        if not target.port and not (address is not None and address.is_unix):
            request.log("error", b'no port in upstream "%b"' % target.host)
            return 500
        if address is not None:
            return single(address)
        core = request.location.core
        resolver: Resolver | None = core.resolver
        if resolver is None:
            request.log("error", b"no resolver defined to resolve %b" % target.host)
            return 502
        fibre = current_fibre()
        assert fibre is not None
        lookup = resolver.look_up(target.host, fibre.wake)
        try:
            if not lookup.done and not await _wait(request, lookup, core.resolver_timeout, conf):
                return CLIENT_CLOSED
            lookup.time_out()
        finally:
            lookup.cancel()
        if lookup.code:
            words = words_of(lookup.code).encode()
            request.log("error", b"%b could not be resolved (%b)" % (target.host, words))
            return 502
        return several(target.host, [_address(host, target.port) for host in lookup.hosts])


# What names stand for comes again with each request.
_address = functools.lru_cache(maxsize=1024)(inet_address)


async def _wait(request: Request, lookup: Lookup, timeout_s: float, conf: UpstreamConf | None) -> bool:
    """Wait for the lookup, or for resolver_timeout; False if the client goes away meanwhile and that matters."""
    fibre = current_fibre()
    assert fibre is not None
    request.on_client_event = fibre.wake
    deadline = request.connection.lane.now + timeout_s if timeout_s else 0.0
    try:
        while not lookup.done and await park(deadline):
            gone = request.output.client_state() and not (conf is not None and conf.outlives_client)
            if not lookup.done and (request.aborted or gone):
                request.log("info", b"epoll_wait() reported that client prematurely closed connection")
                return False
    finally:
        request.on_client_event = None
    return True
