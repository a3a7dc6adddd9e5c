"""upstream_hash: `hash key [consistent]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.http.setters import template
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.hashing import ConsistentChoice, HashChoice, Ring

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def set_hash(conf: None, command: Command) -> None:
    key = template(command, command.args[0])

    def plain(group: Group) -> Balancer:
        def choose(request: Request, group: Group) -> Choice:
            return HashChoice(group, key(request))

        return choose

    def consistent(group: Group) -> Balancer:
        ring = Ring(group)

        def choose(request: Request, group: Group) -> Choice:
            return ConsistentChoice(group, key(request), ring)

        return choose

    if len(command.args) == 2 and command.args[1] != "consistent":
        command.fail(f'invalid parameter "{command.args[1]}"')
    choose_method(command, consistent if len(command.args) == 2 else plain, backup=False)


module = HttpModule(
    name="upstream_hash",
    directives=(Directive("hash", UPSTREAM, take(1, 2), set_hash),),
)
