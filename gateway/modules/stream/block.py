"""stream: the block itself, its servers, and the merging of their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.directive import MAIN, NOARGS, Command, Context, Directive
from gateway.config.loader import Scope
from gateway.modules.stream import core as stream_core
from gateway.modules.stream import listen as stream_listen
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
        if loader.results.get("stream") is not None:
            command.duplicate()
        cycle = StreamCycle(modules, loader.prefix)
        loader.results["stream"] = cycle
        scope = cycle.scope = Scope(Context.STREAM, command.scope, owner=cycle)
        for module in modules:
            for variable in module.variables:
                cycle.variables.add(variable)
            if module.preconfigure is not None:
                module.preconfigure(scope, loader)
        loader.walk(command.block, scope)
        _merge(cycle, scope)
        stream_listen.settle(cycle, loader)
        for module in modules:
            if module.prepare is not None:
                module.prepare(scope, loader)
        cycle.variables.finish()
        for server in cycle.servers:
            server.plan = make_plan(server, modules)

    return set_stream


def set_server(conf: Any, command: Command) -> None:
    scope = Scope(Context.STREAM_SERVER, command.scope, level="server")
    server = scope.owner = Server(scope)
    server.where = command.where
    cycle: StreamCycle = command.scope.owner
    cycle.servers.append(server)
    command.loader.walk(command.block, scope)
    if not scope.conf(stream_listen.module, "server").listens:
        command.fail('no "listen" is defined for server')


def _merge(cycle: StreamCycle, scope: Scope) -> None:
    """Settings of every module: the stream block's own, then each server's."""
    for module in cycle.modules:
        if module.main is not None:
            scope.conf(module, "main").merge(None)
        if module.server is None:
            continue
        outer = scope.conf(module, "server")
        outer.merge(None)
        for server in cycle.servers:
            conf = server.confs[module] = server.scope.conf(module, "server")
            conf.merge(outer)
    for server in cycle.servers:
        server.core = server.confs[stream_core.module]


def directives(modules: Sequence[StreamModule]) -> tuple[Directive, ...]:
    """The directives that make the stream block and its servers."""
    return (
        Directive("stream", MAIN, NOARGS, stream_block(modules), block=True),
        Directive("server", Context.STREAM, NOARGS, set_server, block=True),
    )
