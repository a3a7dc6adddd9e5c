"""stream_upstream_least_conn: `least_conn` of the stream block."""

from __future__ import annotations

from gateway.config.directive import NOARGS, Context, Directive
from gateway.modules.http.upstream_least_conn import set_least_conn
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_upstream_least_conn",
    directives=(Directive("least_conn", Context.STREAM_UPSTREAM, NOARGS, set_least_conn),),
)
