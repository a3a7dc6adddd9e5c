"""stream_upstream_hash: `hash key [consistent]` of the stream block."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.upstream_hash import set_hash
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_upstream_hash",
    directives=(Directive("hash", Context.STREAM_UPSTREAM, take(1, 2), set_hash),),
)
