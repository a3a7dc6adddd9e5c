"""stream_upstream_resolve: `resolver` and `resolver_timeout` in an upstream, and the work of `server … resolve`."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, at_least, take
from gateway.modules.http.upstream_resolve import prepare, set_resolver, set_timeout
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_upstream_resolve",
    directives=(
        Directive("resolver", Context.STREAM_UPSTREAM, at_least(1), set_resolver),
        Directive("resolver_timeout", Context.STREAM_UPSTREAM, take(1), set_timeout),
    ),
    prepare=prepare,
)
