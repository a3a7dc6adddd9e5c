"""stream_map: `map` of the stream block, a variable whose value depends on another's."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.map import set_map
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_map",
    directives=(Directive("map", Context.STREAM, take(2), set_map, block=True),),
)
