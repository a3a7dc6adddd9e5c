"""upstream_least_time: `least_time header | last_byte [inflight]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.least_time import InflightChoice, LeastTimeChoice

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def set_least_time(conf: None, command: Command) -> None:
    mode, *inflight = command.args
    if inflight and inflight != ["inflight"]:
        command.fail(f'invalid parameter "{inflight[0]}"')
    if mode not in ("header", "last_byte"):
        command.fail(f'invalid value "{mode}"')
    header = mode == "header"
    make = InflightChoice if inflight else LeastTimeChoice

    def balancer(group: Group) -> Balancer:
        def choose(request: Request, group: Group) -> Choice:
            return make(group, header=header)

        return choose

    choose_method(command, balancer)


module = HttpModule(
    name="upstream_least_time",
    directives=(Directive("least_time", UPSTREAM, take(1, 2), set_least_time),),
)
