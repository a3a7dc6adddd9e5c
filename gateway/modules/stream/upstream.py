"""stream_upstream: the `upstream { }` block of stream, its servers, and the $upstream_ variables."""

from __future__ import annotations

from typing import Final

from gateway.config.directive import Command, Context, Directive, at_least, take
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.variables import Variable
from gateway.modules.http.upstream import add_server, finish, over_attempts
from gateway.modules.stream import core as stream_core
from gateway.stream.module import StreamModule
from gateway.stream.setters import cycle_of
from gateway.upstream.exchange import attempt
from gateway.upstream.peers.upstreams import Upstreams

_REFUSED: Final = {
    "route": 'invalid parameter "{}"',
    "drain": 'invalid parameter "{}"',
}


def preconfigure(scope: Scope, loader: Loader) -> None:
    scope.owner.upstreams = Upstreams()


def settle(scope: Scope, loader: Loader) -> None:
    finish(scope.owner.upstreams, scope.conf(stream_core.module, "server"))


def set_upstream(conf: None, command: Command) -> None:
    upstream = cycle_of(command).upstreams.define(to_bytes(command.args[0]), command.where)
    scope = Scope(Context.STREAM_UPSTREAM, command.scope, owner=upstream, level="main")
    command.loader.walk(command.block, scope)
    if not upstream.servers:
        raise ConfigError("no servers are inside upstream", command.statement.end or command.where)


def set_server(conf: None, command: Command) -> None:
    add_server(command, 0, _REFUSED)


module = StreamModule(
    name="stream_upstream",
    directives=(
        Directive("upstream", Context.STREAM, take(1), set_upstream, block=True),
        Directive("server", Context.STREAM_UPSTREAM, at_least(1), set_server),
    ),
    preconfigure=preconfigure,
    settle=settle,
    variables=(
        Variable("upstream_addr", over_attempts(attempt.addr)),
        Variable("upstream_bytes_sent", over_attempts(attempt.bytes_sent)),
        Variable("upstream_bytes_received", over_attempts(attempt.bytes_received)),
        Variable("upstream_connect_time", over_attempts(attempt.connect_time)),
        Variable("upstream_first_byte_time", over_attempts(attempt.header_time)),
        Variable("upstream_session_time", over_attempts(attempt.response_time)),
    ),
)
