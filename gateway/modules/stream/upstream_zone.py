"""stream_upstream_zone: `zone NAME [SIZE]` of the stream block."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.upstream_zone import zone_setter
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_upstream_zone",
    directives=(Directive("zone", Context.STREAM_UPSTREAM, take(1, 2), zone_setter("stream upstream")),),
)
