"""stub_status: connections and requests, counted over all workers; `stub_status`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, SERVER, Command, Directive, take
from gateway.core.counters import COUNTERS, Counters
from gateway.core.variables import Getter, Variable, cached
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.counters import Status
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class MainConf(Conf):
    counters: Counters = setting(None)


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)


def set_stub_status(conf: LocationConf, command: Command) -> None:
    """stub_status; the argument that old versions wanted is ignored."""
    conf.enabled = True
    answers(conf, command)


def prepare(scope: Scope, loader: Loader) -> None:
    scope.conf(module, "main").counters = loader.parts.find(COUNTERS) or Counters(1, shared=False)


def counters_of(request: Request) -> Counters:
    counters: Counters = request.cycle.scope.conf(module, "main").counters
    return counters


def read(request: Request) -> Status:
    return counters_of(request).read()


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(content=show) if settings.enabled else NOTHING


def show(request: Request) -> Result:
    if request.method not in (b"GET", b"HEAD"):
        return 405
    wrong = request.discard_body()
    if wrong:
        return wrong
    status = read(request)
    text = (
        f"Active connections: {status.active} \n"
        "server accepts handled requests\n"
        f" {status.accepted} {status.handled} {status.requests} \n"
        f"Reading: {status.reading} Writing: {status.writing} Waiting: {status.waiting} \n"
    )
    return request.respond(200, text.encode(), b"text/plain")


def _count(name: str, of: Callable[[Status], int]) -> Variable:
    def compute(request: Request) -> bytes | None:
        return b"%d" % of(read(request))

    getter: Getter = cached(name, compute)
    return Variable(name, getter)


module = HttpModule(
    name="stub_status",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("stub_status", SERVER | LOCATION, take(0, 1), set_stub_status),),
    variables=(
        _count("connections_active", lambda status: status.active),
        _count("connections_reading", lambda status: status.reading),
        _count("connections_writing", lambda status: status.writing),
        _count("connections_waiting", lambda status: status.waiting),
    ),
    prepare=prepare,
    plan=plan,
)
