"""upstream_resolve: `resolver` and `resolver_timeout` in an upstream, and the work of `server … resolve`.

A bad name is asked for again after resolver_timeout, as in nginx; here no name is asked for more than once a second.
Where nginx answers a client that comes before the first answer of DNS with 502, a worker here accepts a moment later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, at_least, take
from gateway.config.loader import Loader, Scope
from gateway.core.logs import LOG
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import upstream_of
from gateway.serving.cycle import LATE_IMPORTS
from gateway.serving.resolver_directive import make_resolver
from gateway.upstream.duties import Duties, Task

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.serving.worker import Worker
    from gateway.upstream.peers.upstreams import Upstream


def set_resolver(conf: None, command: Command) -> None:
    upstream = upstream_of(command)
    if upstream.resolver is not None:
        command.duplicate()
    upstream.resolver = make_resolver(command)


def set_timeout(conf: None, command: Command) -> None:
    upstream = upstream_of(command)
    if upstream.resolver_timeout >= 0:
        command.duplicate()
    try:
        upstream.resolver_timeout = units.parse_time_ms(command.args[0]) / 1000
    except ValueError:
        command.refuse("invalid value")


def prepare(scope: Scope, loader: Loader) -> None:
    """The configuration is read: each upstream with a zone can resolve names, if a resolver is there."""
    able = [upstream for upstream in scope.owner.upstreams.all if upstream.zoned and upstream.resolver is not None]
    if able:
        duties = Duties(scope.owner, loader.parts.get(LOG))
        loader.parts.get(LATE_IMPORTS).add("gateway.upstream.peers.resolve")
        for upstream in able:
            scope.owner.ready.append(_asked(upstream))
            duties.add(upstream, _following(upstream, loader.parts.get(LOG)))


def _asked(upstream: Upstream) -> Callable[[], bool]:
    return lambda: upstream.shared is None or upstream.shared.asked


def _following(upstream: Upstream, log: Log) -> Task:
    async def follow(worker: Worker) -> None:
        from gateway.upstream.peers.resolve import resolve_names  # as late as may be: it needs Trio

        assert upstream.resolver is not None
        await resolve_names(upstream, upstream.resolver, upstream.resolver_timeout, log)

    return follow


module = HttpModule(
    name="upstream_resolve",
    directives=(
        Directive("resolver", UPSTREAM, at_least(1), set_resolver),
        Directive("resolver_timeout", UPSTREAM, take(1), set_timeout),
    ),
    prepare=prepare,
)
