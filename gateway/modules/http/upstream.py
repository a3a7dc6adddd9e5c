"""upstream: the `upstream { }` block, its servers, and the $upstream_ variables.

`slow_start` is NGINX Plus's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.uri import set_cookie_get
from gateway.config import units
from gateway.config.conf import UNSET
from gateway.config.directive import HTTP, UPSTREAM, Command, Directive, at_least, take
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.variables import Getter, PrefixVariable, Variable
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of
from gateway.modules.http import core as http_core
from gateway.upstream.cache import preconditions
from gateway.upstream.exchange import attempt
from gateway.upstream.exchange.attempt import Attempt
from gateway.upstream.exchange.keepalive import Keepalive, PeerConnection
from gateway.upstream.peers.address import parse_target, resolve
from gateway.upstream.peers.peers import DOWN, DRAINING, Group, UpstreamServer
from gateway.upstream.peers.upstreams import RESOLVER_TIMEOUT_S, Balancer, Upstream, Upstreams

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.exchange.carrier import Carrier

_HTTP_PORT: Final = 80
_ROUTE_MAX: Final = 32
_NONE_REFUSED: Final[Mapping[str, str]] = {}


def preconfigure(scope: Scope, loader: Loader) -> None:
    scope.owner.upstreams = Upstreams()


def finish(upstreams: Upstreams, outer: Any) -> None:
    """What upstreams lack is said before the settings of servers are looked at; `outer` are the block's, not merged."""
    resolver = None if outer.resolver is UNSET else outer.resolver
    upstreams.finish(resolver, RESOLVER_TIMEOUT_S if outer.resolver_timeout is UNSET else outer.resolver_timeout)


def settle(scope: Scope, loader: Loader) -> None:
    finish(scope.owner.upstreams, scope.conf(http_core.module, "location"))


def prepare(scope: Scope, loader: Loader) -> None:
    upstreams: Upstreams = scope.owner.upstreams
    scope.owner.spares.append(lambda: _idle(upstreams))


def _idle(upstreams: Upstreams) -> Iterator[PeerConnection | Carrier]:
    """The connections that are kept for later requests."""
    for upstream in upstreams.all:
        if upstream.keepalive is not None:
            yield from upstream.keepalive.idle
            yield from upstream.keepalive.idle_carriers()


def upstream_of(command: Command) -> Upstream:
    """The upstream that this directive stands in."""
    return command.scope.owner  # type: ignore[no-any-return]


def set_upstream(conf: None, command: Command) -> None:
    upstreams: Upstreams = cycle_of(command).upstreams
    upstream = upstreams.define(to_bytes(command.args[0]), command.where)
    upstream.keepalive = Keepalive()  # on by default since nginx 1.29.7
    scope = Scope(UPSTREAM, command.scope, owner=upstream, level="main")
    command.loader.walk(command.block, scope)
    if not upstream.servers and not upstream.state:
        raise ConfigError("no servers are inside upstream", command.statement.end or command.where)


def choose_method(command: Command, make: Callable[[Group], Balancer], *, backup: bool = True) -> None:
    """Make this the balancing method of the upstream; `make` gets its peers when all of them are known."""
    upstream = upstream_of(command)
    if upstream.make_balancer is not None:
        command.warn("load balancing method redefined")
    upstream.make_balancer = make
    upstream.without_backup = not backup


def _number(text: str, minimum: int = 0) -> int:
    number = units.parse_number(text)
    if number < minimum:
        raise ValueError(text)
    return number


def set_server(conf: None, command: Command) -> None:
    add_server(command, _HTTP_PORT)


def add_server(command: Command, default_port: int, refused: Mapping[str, str] = _NONE_REFUSED) -> None:
    """A `server` line of an upstream; `refused`: parameters that it may not have, each with the message."""
    upstream = upstream_of(command)
    if upstream.state:
        command.fail('"server" directive is incompatible with "state"')
    name = command.args[0]
    server = UpstreamServer(to_bytes(name))
    for parameter in command.args[1:]:
        key, equals, value = parameter.partition("=")
        if key in refused:
            command.fail(refused[key].format(parameter))
        try:
            if parameter == "backup":
                if upstream.without_backup:
                    command.fail(f'balancing method does not support parameter "{parameter}"')
                server.backup = True
            elif parameter == "down":
                server.down = DOWN
            elif parameter == "drain":
                server.down = DRAINING
            elif parameter == "resolve":
                server.resolve = True
            elif not equals:
                raise ValueError(parameter)
            elif key == "weight":
                server.weight = _number(value, 1)
            elif key == "max_conns":
                server.max_conns = _number(value)
            elif key == "max_fails":
                server.max_fails = _number(value)
            elif key == "fail_timeout":
                server.fail_timeout = units.parse_seconds(value)
            elif key == "slow_start":
                if upstream.without_backup:
                    # nor have those methods a use for it
                    command.fail(f'balancing method does not support parameter "{parameter}"')
                server.slow_start = units.parse_time_ms(value)
            elif key == "route":
                server.route = _route(value, command)
            elif key == "service":
                if not value:
                    command.fail("service is empty")
                server.service = to_bytes(value)
            else:
                raise ValueError(parameter)
        except ValueError:
            command.fail(f'invalid parameter "{parameter}"')
    if server.service and not server.resolve:
        command.fail(f'service upstream "{name}" requires "resolve" parameter')
    try:
        target = parse_target(server.name, default_port)
        if not target.port and not server.service and not (target.address is not None and target.address.is_unix):
            raise ValueError("no port")
        if server.service and not target.no_port:
            command.fail(f'service upstream "{name}" may not have port')
        if server.service and target.address is not None:
            command.fail(f'service upstream "{name}" requires domain name')
        if target.address is not None:
            server.addresses = [target.address]
            server.resolve = False
        elif not server.resolve:
            server.addresses = resolve(target.host, target.port)
    except ValueError as error:
        command.fail(f'{error} in upstream "{name}"')
    upstream.servers.append(server)


def _route(value: str, command: Command) -> bytes:
    route = to_bytes(value)
    if not route:
        command.fail("route is empty")
    if len(route) > _ROUTE_MAX:
        command.fail(f"route is longer than {_ROUTE_MAX}")
    return route


def over_attempts(text: Callable[[Attempt], bytes]) -> Getter:
    def get(request: Request) -> bytes | None:
        exchange = request.upstream
        return None if exchange is None else attempt.join(exchange.attempts, text)

    return get


def _http(name: str) -> Getter:
    wanted = name.encode()

    def get(request: Request) -> bytes | None:
        exchange = request.upstream
        if exchange is None or exchange.head is None:
            return None
        value: bytes | None = exchange.head.head.variable(wanted)
        return value

    return get


def _trailer(name: str) -> Getter:
    wanted = name.replace("_", "-").encode()

    def get(request: Request) -> bytes | None:
        exchange = request.upstream
        trailers: Sequence[tuple[bytes, bytes]] = (exchange.trailers if exchange is not None else None) or ()
        values = [value for field, value in trailers if field.lower() == wanted]
        return b", ".join(values) if values else None

    return get


def _cookie(name: str) -> Getter:
    wanted = name.encode()

    def get(request: Request) -> bytes | None:
        exchange: Any = request.upstream
        if exchange is None or exchange.head is None:
            return None
        return set_cookie_get(exchange.head.head.get_all(b"set-cookie"), wanted)

    return get


module = HttpModule(
    name="upstream",
    directives=(
        Directive("upstream", HTTP, take(1), set_upstream, block=True),
        Directive("server", UPSTREAM, at_least(1), set_server),
    ),
    preconfigure=preconfigure,
    settle=settle,
    prepare=prepare,
    variables=(
        Variable("upstream_addr", over_attempts(attempt.addr)),
        Variable("upstream_status", over_attempts(attempt.status)),
        Variable("upstream_connect_time", over_attempts(attempt.connect_time)),
        Variable("upstream_header_time", over_attempts(attempt.header_time)),
        Variable("upstream_response_time", over_attempts(attempt.response_time)),
        Variable("upstream_response_length", over_attempts(attempt.response_length)),
        Variable("upstream_bytes_received", over_attempts(attempt.bytes_received)),
        Variable("upstream_bytes_sent", over_attempts(attempt.bytes_sent)),
        Variable("upstream_cache_status", preconditions.status),
        Variable("upstream_cache_last_modified", preconditions.last_modified),
        Variable("upstream_cache_etag", preconditions.etag),
        PrefixVariable("upstream_http_", _http),
        PrefixVariable("upstream_trailer_", _trailer),
        PrefixVariable("upstream_cookie_", _cookie),
    ),
)
