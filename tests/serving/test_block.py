"""The order in which a block is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.config.conf import Conf, setting
from gateway.config.directive import NOARGS, Command, Context, Directive, take
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.module import CoreModule
from gateway.config.parser import parse
from gateway.core.variables import Variable
from gateway.serving.block import read_block
from gateway.serving.cycle import BLOCKS, BlockCycle
from gateway.stream.module import StreamModule
from gateway.stream.servers import Server


@dataclass(slots=True)
class OwnConf(Conf):
    depth: Any = setting("shallow")


class OwnCycle(BlockCycle):
    name = "stream"


def load(text: str) -> tuple[list[Any], OwnCycle]:
    seen: list[Any] = []

    def note(stage: str) -> Any:
        return lambda scope, loader: seen.append((stage, [dict(s.confs) for s in scope.owner.servers]))

    def set_depth(conf: OwnConf, command: Command) -> None:
        conf.depth = command.args[0]

    module = StreamModule(
        "own",
        main=OwnConf,
        server=OwnConf,
        directives=(
            Directive("depth", Context.STREAM | Context.STREAM_SERVER, take(1), set_depth, level="server"),
        ),
        variables=(Variable("own", lambda holder: b"value"),),
        preconfigure=note("preconfigure"),
        settle=note("settle"),
        prepare=note("prepare"),
    )

    def set_block(conf: Any, command: Command) -> None:
        cycle = OwnCycle([module], "/")
        read_block(cycle, command, Context.STREAM, lambda: seen.append("merge"))
        assert cycle.scope.conf(module, "main").depth == "shallow"  # merged, though nobody set it
        seen.append([server.confs[module].depth for server in cycle.servers])

    def set_server(conf: Any, command: Command) -> None:
        scope = Scope(Context.STREAM_SERVER, command.scope, level="server")
        server = scope.owner = Server(scope)
        command.scope.owner.servers.append(server)
        command.loader.walk(command.block, scope)

    blocks = CoreModule(
        "blocks",
        directives=(
            Directive("stream", Context.MAIN, NOARGS, set_block, block=True),
            Directive("server", Context.STREAM, NOARGS, set_server, block=True),
        ),
    )
    loader = Loader([blocks, module])
    loader.walk(parse(text, "x.conf").statements, Scope(Context.MAIN))
    cycle = loader.parts.get(BLOCKS)["stream"]
    assert isinstance(cycle, OwnCycle)
    return seen, cycle


def test_each_step_finds_what_the_one_before_has_made() -> None:
    seen, cycle = load("stream { server { depth deep; } depth outer; server { } }")
    merged = [dict(server.confs) for server in cycle.servers]
    assert seen == [
        ("preconfigure", []),
        ("settle", [{}, {}]),  # the servers are there, their settings not yet
        "merge",
        ("prepare", merged),
        ["deep", "outer"],
    ]
    assert cycle.variables.reference("own", None)(None) == b"value"


def test_a_block_stands_once() -> None:
    with pytest.raises(ConfigError, match='"stream" directive is duplicate'):
        load("stream { } stream { }")
