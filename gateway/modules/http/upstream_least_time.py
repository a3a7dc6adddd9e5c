"""upstream_least_time: `least_time header | last_byte [inflight]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.config.directive import UPSTREAM, Command, Directive, Setter, take
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.least_time import ANSWER, HEADER, InflightChoice, LeastTimeChoice

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.least_time import Mode
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def time_setter(modes: Mapping[str, Mode]) -> Setter:
    def set_least_time(conf: None, command: Command) -> None:
        name, *inflight = command.args
        if inflight and inflight != ["inflight"]:
            command.fail(f'invalid parameter "{inflight[0]}"')
        mode = modes.get(name)
        if mode is None:
            command.fail(f'invalid value "{name}"')
        make = InflightChoice if inflight else LeastTimeChoice

        def balancer(group: Group) -> Balancer:
            def choose(request: Request, group: Group) -> Choice:
                return make(group, mode)

            return choose

        choose_method(command, balancer)

    return set_least_time


module = HttpModule(
    name="upstream_least_time",
    directives=(Directive("least_time", UPSTREAM, take(1, 2), time_setter({"header": HEADER, "last_byte": ANSWER})),),
)
