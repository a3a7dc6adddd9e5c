"""Reading a block that serves clients: variables, directives, the merging of settings, what modules do with it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gateway.config.directive import Command, Context
from gateway.config.errors import LateError
from gateway.config.loader import Loader, Scope
from gateway.serving.cycle import BLOCKS

if TYPE_CHECKING:
    from gateway.config.conf import Conf
    from gateway.core.variables import PrefixVariable, Variable
    from gateway.serving.cycle import BlockCycle

Hook = Callable[[Scope, Loader], None]


class BlockModule(Protocol):
    """What the modules of every block declare."""

    @property
    def main(self) -> type[Conf] | None: ...
    @property
    def server(self) -> type[Conf] | None: ...
    @property
    def variables(self) -> Sequence[Variable | PrefixVariable]: ...
    @property
    def preconfigure(self) -> Hook | None: ...
    @property
    def settle(self) -> Hook | None: ...
    @property
    def prepare(self) -> Hook | None: ...


def read_block(cycle: BlockCycle, command: Command, context: Context, merge: Callable[[], None]) -> None:
    """The life of a block while it is read; `merge` makes what its servers' settings come to."""
    loader = command.loader
    blocks = loader.parts.get(BLOCKS)
    if cycle.name in blocks:
        command.duplicate()
    blocks[cycle.name] = cycle
    modules: tuple[BlockModule, ...] = cycle.modules
    scope = cycle.scope = Scope(context, command.scope, owner=cycle)
    for module in modules:
        for variable in module.variables:
            cycle.variables.add(variable)
        if module.preconfigure is not None:
            module.preconfigure(scope, loader)
    loader.walk(command.block, scope)
    try:
        for module in modules:
            if module.settle is not None:
                module.settle(scope, loader)
        _merge_servers(cycle, scope, modules)
        merge()
        for module in modules:
            if module.prepare is not None:
                module.prepare(scope, loader)
    except LateError as error:
        error.where = error.where or command.statement.end or command.where
        raise
    cycle.variables.finish()


def read_server(command: Command, context: Context, kind: Callable[[Scope], Any], listen: Any) -> None:
    """A server block, which has to say where it listens: by directives of the module `listen`."""
    scope = Scope(context, command.scope, level="server")
    server = scope.owner = kind(scope)
    server.where = command.where
    command.scope.owner.servers.append(server)
    command.loader.walk(command.block, scope)
    if not scope.conf(listen, "server").listens:
        command.fail('no "listen" is defined for server')


def _merge_servers(cycle: BlockCycle, scope: Scope, modules: Sequence[BlockModule]) -> None:
    """Settings of every module: the block's own, then each server's."""
    for module in modules:
        if module.main is not None:
            scope.conf(module, "main").merge(None)
        if module.server is None:
            continue
        outer: Any = scope.conf(module, "server")
        outer.merge(None)
        for server in cycle.servers:
            conf = server.confs[module] = server.scope.conf(module, "server")
            conf.merge(outer)
