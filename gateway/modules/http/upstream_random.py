"""upstream_random: `random [two [least_conn]]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.random_pick import RandomChoice

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def set_random(conf: None, command: Command) -> None:
    two = len(command.args) > 0
    for wanted, given in zip(("two", "least_conn"), command.args, strict=False):
        if given != wanted:
            command.fail(f'invalid parameter "{given}"')

    def balancer(group: Group) -> Balancer:
        def choose(request: Request, group: Group) -> Choice:
            return RandomChoice(group, two=two)

        return choose

    choose_method(command, balancer, backup=False)


module = HttpModule(
    name="upstream_random",
    directives=(Directive("random", UPSTREAM, take(0, 1, 2), set_random),),
)
