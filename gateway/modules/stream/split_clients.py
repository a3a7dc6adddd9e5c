"""stream_split_clients: `split_clients` of the stream block, a variable by shares of a text's hash."""

from __future__ import annotations

from gateway.config.directive import Context, Directive, take
from gateway.modules.http.split_clients import set_split_clients
from gateway.stream.module import StreamModule

module = StreamModule(
    name="stream_split_clients",
    directives=(Directive("split_clients", Context.STREAM, take(2), set_split_clients, block=True),),
)
