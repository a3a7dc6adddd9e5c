"""upstream_state: `state FILE` of NGINX Plus, where the API keeps an upstream's servers over a restart.

The file has `server` directives, in place of those in the block. Workers must be able to write in its folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.config.errors import ConfigError
from gateway.config.parser import parse
from gateway.config.whole_file import read_whole
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import upstream_of

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope


def set_state(conf: None, command: Command) -> None:
    upstream = upstream_of(command)
    if upstream.state:
        command.duplicate()
    if upstream.servers:
        command.fail('"state" directive is incompatible with "server" directives')
    path = command.loader.path(command.args[0])
    try:
        text = read_whole(path)
    except FileNotFoundError:
        text = b""
    except OSError as error:
        command.fail(f'open() "{path}" failed ({error.errno}: {error.strerror})')
    source = parse(text, path)
    for statement in source.statements:
        if statement.name != "server":
            raise ConfigError(f'"{statement.name}" directive is not allowed in a state file', statement.where)
    command.loader.walk(source.statements, command.scope)
    if source.error is not None:
        raise source.error
    upstream.state = path


def prepare(scope: Scope, loader: Loader) -> None:
    for upstream in scope.owner.upstreams.all:
        if upstream.state and not upstream.zoned:
            raise ConfigError('"state" directive requires "zone" in the upstream', upstream.where)


module = HttpModule(
    name="upstream_state",
    directives=(Directive("state", UPSTREAM, take(1), set_state),),
    prepare=prepare,
)
