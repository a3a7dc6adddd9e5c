"""stream_upstream_random: `random [two [least_conn]]` of the stream block."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.upstream_random import set_random
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_upstream_random",
    directives=(Directive("random", Context.STREAM_UPSTREAM, take(0, 1, 2), set_random),),
)
