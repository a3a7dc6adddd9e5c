"""stream_geo: `geo` of the stream block, a variable by the client's address."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.geo import set_geo
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_geo",
    directives=(Directive("geo", Context.STREAM, take(1, 2), set_geo, block=True),),
)
