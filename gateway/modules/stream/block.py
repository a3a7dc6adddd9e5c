"""stream: the block itself and its servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.directive import MAIN, NOARGS, Command, Context, Directive
from gateway.modules.stream import core as stream_core
from gateway.modules.stream import listen as stream_listen
from gateway.serving.block import read_block, read_server
from gateway.stream.cycle import StreamCycle
from gateway.stream.module import StreamModule
from gateway.stream.plan import make_plan
from gateway.stream.servers import Server

if TYPE_CHECKING:
    from collections.abc import Sequence


def stream_block(modules: Sequence[StreamModule]) -> Any:
    """The setter of `stream { }` for these modules."""

    def set_stream(conf: Any, command: Command) -> None:
        loader = command.loader
        cycle = StreamCycle(modules, loader.prefix)

        def merge() -> None:
            for server in cycle.servers:
                server.core = server.confs[stream_core.module]
            stream_listen.settle(cycle, loader)

        read_block(cycle, command, Context.STREAM, merge)
        for server in cycle.servers:
            server.plan = make_plan(server, modules)

    return set_stream


def set_server(conf: Any, command: Command) -> None:
    read_server(command, Context.STREAM_SERVER, Server, stream_listen.module)


def directives(modules: Sequence[StreamModule]) -> tuple[Directive, ...]:
    """The directives that make the stream block and its servers."""
    return (
        Directive("stream", MAIN, NOARGS, stream_block(modules), block=True),
        Directive("server", Context.STREAM, NOARGS, set_server, block=True),
    )
