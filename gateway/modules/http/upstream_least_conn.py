"""upstream_least_conn: `least_conn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.directive import NOARGS, UPSTREAM, Command, Directive
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import choose_method
from gateway.upstream.peers.least_conn import LeastConnChoice

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.peers.peers import Choice, Group
    from gateway.upstream.peers.upstreams import Balancer


def _balancer(group: Group) -> Balancer:
    def choose(request: Request, group: Group) -> Choice:
        return LeastConnChoice(group)

    return choose


def set_least_conn(conf: None, command: Command) -> None:
    choose_method(command, _balancer)


module = HttpModule(
    name="upstream_least_conn",
    directives=(Directive("least_conn", UPSTREAM, NOARGS, set_least_conn),),
)
