"""health_check and match: active checks of an upstream's peers, in the syntax of NGINX Plus.

Beyond it: in a location with uwsgi_pass a check is a whole request over uwsgi, with the location's uwsgi_params;
`type=uwsgi_ping` asks uWSGI itself, without the application, and `type=tcp` only connects. With fastcgi_pass and
scgi_pass a check only connects, unless `uri=` or `match=` ask for a whole request. A probe over HTTP has the location's
proxy_set_header and goes to `uri=` alone, whatever proxy_pass has for a URI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway._fast.http1 import parse_head
from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LOCATION, Command, Context, Directive, at_least, take
from gateway.config.errors import ConfigError, Where
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.logs import LOG
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, regex, variable_name
from gateway.http.stand_in import stand_in
from gateway.modules.http import fastcgi, grpc, proxy, scgi, uwsgi
from gateway.modules.http.grpc_codec import GrpcCodec
from gateway.modules.http.uwsgi_codec import UwsgiCodec
from gateway.serving.cycle import LATE_IMPORTS
from gateway.upstream.duties import Duties, Task
from gateway.upstream.health import matching
from gateway.upstream.health.checks import GRPC_CHECK, HealthCheck, match_block
from gateway.upstream.health.matching import Match

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.serving.worker import Worker
    from gateway.upstream.exchange.codec import Codec
    from gateway.upstream.health.probes import Probe
    from gateway.upstream.peers.upstreams import Upstream

# What proxy_set_header may say of a connection, which is not a probe's.
_OWN: Final = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"keep-alive", b"te"})

# What makes a whole request over the protocol of a location.
_CODECS: Final[dict[HttpModule, Callable[[Any], Codec]]] = {
    uwsgi.module: UwsgiCodec,
    fastcgi.module: fastcgi.FastcgiCodec,
    scgi.module: scgi.ScgiCodec,
}

MATCH: Final = Context.MATCH


@dataclass(slots=True)
class MainConf(Conf):
    matches: dict[str, Match] = setting(factory=dict)


@dataclass(slots=True)
class LocationConf(Conf):
    check: _Directive | None = setting(None, inherit=False)  # a _Directive


@dataclass(slots=True)
class _Directive:
    """What a health_check directive says."""

    where: Where
    check: HealthCheck
    uri: bytes = b""
    match: str = ""
    type: str = ""
    grpc_service: bytes = b""
    grpc_status: int = 0  # another one that is good, too
    keepalive_s: float = 0.0


# -- directives ----------------------------------------------------------------------------------------------------


def set_check(conf: LocationConf, command: Command) -> None:
    command.once(conf.check)
    found = _Directive(command.where, HealthCheck())
    check = found.check
    for word in command.args:
        key, _, value = word.partition("=")
        try:
            if check.set_parameter(word):
                continue
            if not value:
                raise ValueError(word)
            if key == "uri":
                found.uri = _uri(value)
            elif key == "match":
                found.match = value
            elif key == "keepalive_time":
                found.keepalive_s = units.parse_time_ms(value) / 1000
            elif key == "type":
                found.type = value
            elif key == "grpc_service" and found.type == "grpc":
                found.grpc_service = to_bytes(value)
            elif key == "grpc_status" and found.type == "grpc":
                found.grpc_status = units.parse_number(value)
            else:
                raise ValueError(word)
        except (ValueError, HeadError):
            command.fail(f'invalid parameter "{word}"')
    if check.persistent and not check.mandatory:
        command.fail('the "persistent" parameter requires "mandatory"')
    if found.type not in ("", "tcp", "uwsgi_ping", "grpc"):
        command.fail(f'parameter "type={found.type}" of "{command.name}" is not supported yet')
    conf.check = found


def _uri(value: str) -> bytes:
    uri = to_bytes(value)
    if not uri.startswith(b"/"):
        raise ValueError(value)
    parse_head(b"GET %b HTTP/1.0\r\nHost: x\r\n\r\n" % uri)
    return uri


set_match = match_block(MATCH, Match)


def _match_of(command: Command) -> tuple[Match, list[str], bool]:
    """The block, the arguments without a leading "!", and whether there was one."""
    args = command.args
    negated = args[0] == "!"
    if negated and len(args) == 1:
        command.refuse("requires a value")
    return command.scope.owner, args[negated:], negated


def set_status(conf: None, command: Command) -> None:
    """status [!] CODE | CODE-CODE ..."""
    match, words, negated = _match_of(command)
    ranges = []
    for word in words:
        low, dash, high = word.partition("-")
        try:
            ranges.append((units.parse_number(low), units.parse_number(high if dash else low)))
        except ValueError:
            command.invalid(word)
        if not 100 <= ranges[-1][0] <= ranges[-1][1] <= 999:
            command.invalid(word)
    match.conditions.append(matching.status(ranges, negated=negated))


def set_header(conf: None, command: Command) -> None:
    """header [!] NAME | NAME = VALUE | NAME != VALUE | NAME ~ REGEX | NAME !~ REGEX."""
    match, words, negated = _match_of(command)
    name = to_bytes(words[0])
    if len(words) == 1:
        match.conditions.append(matching.header_present(name, negated=negated))
        return
    if negated or len(words) != 3 or words[1] not in ("=", "!=", "~", "!~"):
        command.invalid(" ".join(command.args))
    operator, text = words[1:]
    test: Callable[[bytes], Any]
    test = to_bytes(text).__eq__ if "=" in operator else regex(command, text).test
    match.conditions.append(matching.header(name, test, negated=operator.startswith("!")))


def set_body(conf: None, command: Command) -> None:
    """body ~ REGEX | !~ REGEX."""
    operator, text = command.args
    if operator not in ("~", "!~"):
        command.invalid(operator)
    match: Match = command.scope.owner
    match.conditions.append(matching.body(regex(command, text), negated=operator == "!~"))
    match.needs_body = True


def set_require(conf: None, command: Command) -> None:
    """require $VARIABLE ..."""
    match: Match = command.scope.owner
    names = [variable_name(command, word) for word in command.args]
    registry = cycle_of(command).variables
    match.conditions.append(matching.require(names, [registry.reference(name, command.where) for name in names]))


# -- what is checked, and by which probe ---------------------------------------------------------------------------


def prepare(scope: Scope, loader: Loader) -> None:
    """The configuration is read: find what each check is of."""
    cycle: HttpCycle = scope.owner
    matches: dict[str, Match] = scope.conf(module, "main").matches
    found: dict[Upstream, list[tuple[HealthCheck, Maker]]] = {}
    for server in cycle.servers:
        waiting = [server.root]
        while waiting:
            location = waiting.pop()
            waiting += location.children
            directive: _Directive | None = location.confs[module].check
            if directive is None or location.nameless:
                continue
            match = _find_match(directive, matches)
            upstream, make = _passing_of(cycle, location, directive, match)
            directive.check.name = match.name
            upstream.health_checks.append(directive.check)
            found.setdefault(upstream, []).append((directive.check, make))
    if found:
        duties = Duties(cycle, loader.parts.get(LOG))
        loader.parts.get(LATE_IMPORTS).update(("gateway.upstream.health.health", "gateway.upstream.health.grpc_probe"))
        for upstream, makers in found.items():
            duties.add(upstream, _checking(upstream, makers, loader.parts.get(LOG)))


def _find_match(directive: _Directive, matches: dict[str, Match]) -> Match:
    if not directive.match:
        return matching.default_match()
    if directive.match not in matches:
        raise ConfigError(f'unknown match "{directive.match}"', directive.where)
    if directive.type:
        raise ConfigError(f'"match" has no use with "type={directive.type}"', directive.where)
    return matches[directive.match]


Maker = Callable[["Worker"], "Probe"]


def _passing_of(
    cycle: HttpCycle, location: Location, directive: _Directive, match: Match
) -> tuple[Upstream, Maker]:
    """The upstream that the location passes requests to, and what makes the probe in a worker."""
    conf: Any = location.content
    candidate = next((module for module, own in location.confs.items() if own is conf), None)
    if candidate is None or not candidate.passes:
        raise ConfigError('"health_check" needs a *_pass in its location', directive.where)
    upstream: Upstream | None = conf.passing.upstream
    if upstream is None:
        raise ConfigError('"health_check" needs a *_pass without variables', directive.where)
    if not upstream.zoned:
        name = upstream.name.decode("utf-8", "surrogateescape")
        raise ConfigError(f'health checks require upstream "{name}" to be in shared memory', directive.where)
    if directive.type == "uwsgi_ping" and candidate is not uwsgi.module:
        raise ConfigError('"type=uwsgi_ping" needs uwsgi_pass', directive.where)
    if directive.type == "grpc" and candidate is not grpc.module:
        raise ConfigError('"type=grpc" needs grpc_pass', directive.where)
    if directive.type == "grpc" and directive.uri:
        raise ConfigError('"uri" has no use with "type=grpc"', directive.where)
    if directive.match and candidate is not proxy.module and candidate not in _CODECS:
        raise ConfigError(f'"match" has no use with {candidate.name}_pass', directive.where)
    return upstream, lambda worker: _make_probe(cycle, worker, location, candidate, conf, directive, match)


def _make_probe(
    cycle: HttpCycle,
    worker: Worker,
    location: Location,
    kind: Any,
    conf: Any,
    directive: _Directive,
    match: Match,
) -> Probe:
    from gateway.upstream.health.probe_wire import ProbeTls
    from gateway.upstream.health.probes import CodecProbe, ConnectProbe, HttpProbe, PingProbe

    host = conf.passing.upstream.name
    method, target = (b"POST", GRPC_CHECK) if directive.type == "grpc" else (b"GET", directive.uri or b"/")

    def make_request() -> Request:
        return stand_in(cycle, worker, location, method, target, host)

    tls = ProbeTls(conf.client_tls, host, make_request) if conf.client_tls is not None else None
    if directive.type == "uwsgi_ping":
        return PingProbe(conf, tls)
    if directive.type == "tcp":
        return ConnectProbe(conf)
    if directive.type == "grpc":
        from gateway.upstream.health.grpc_probe import GrpcProbe

        secured = tls if conf.passing.secure else None
        codec = GrpcCodec(conf, None if secured is None else conf.client_tls)
        return GrpcProbe(conf, codec, make_request, directive.grpc_service, directive.grpc_status, secured)
    if kind is proxy.module:
        def make_http() -> tuple[Request, list[tuple[bytes, bytes]]]:
            request = make_request()
            request.state[proxy.module] = conf.passing.destination
            fields = proxy.own_fields(conf, conf.passing.destination, request)
            return request, [field for field in fields if field[0].lower() not in _OWN]

        return HttpProbe(conf, make_http, target, match, directive.keepalive_s, tls)
    if kind is uwsgi.module or (kind in _CODECS and (directive.uri or directive.match)):
        return CodecProbe(conf, _CODECS[kind](conf), make_request, match, tls)
    return ConnectProbe(conf)


def _checking(upstream: Upstream, makers: list[tuple[HealthCheck, Maker]], log: Log) -> Task:
    async def check(worker: Worker) -> None:
        from gateway.upstream.health.health import check_peers  # late: it needs Trio

        for one, make in makers:
            one.probe = make(worker)
        await check_peers(upstream, log)

    return check


module = HttpModule(
    name="health_check",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("health_check", LOCATION, at_least(0), set_check),
        Directive("match", HTTP, take(1), set_match, level="main", block=True),
        Directive("status", MATCH, at_least(1), set_status, level=""),
        Directive("header", MATCH, at_least(1), set_header, level=""),
        Directive("body", MATCH, take(2), set_body, level=""),
        Directive("require", MATCH, at_least(1), set_require, level=""),
    ),
    prepare=prepare,
)
