"""events: its block, and how many connections a worker may have. The method is always epoll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.config.conf import Conf, setting
from gateway.config.directive import EVENTS, MAIN, NOARGS, Command, Directive, take
from gateway.config.loader import Scope
from gateway.config.module import CoreModule
from gateway.config.parts import Part
from gateway.config.units import parse_number

DEFAULT_CONNECTIONS = 512


@dataclass(slots=True)
class EventsConf(Conf):
    worker_connections: int = setting(DEFAULT_CONNECTIONS)
    use: str = setting("epoll")


THE_EVENTS: Part[EventsConf] = Part("events")


def set_events(conf: Any, command: Command) -> None:
    parts = command.loader.parts
    if parts.find(THE_EVENTS) is not None:
        command.duplicate()
    scope = Scope(EVENTS, command.scope)
    events: EventsConf = scope.conf(module, "main")
    parts.put(THE_EVENTS, events)
    command.loader.walk(command.block, scope)
    events.merge(None)


def set_connections(conf: EventsConf, command: Command) -> None:
    command.once(conf.worker_connections)
    text = command.args[0]
    try:
        conf.worker_connections = parse_number(text)
    except ValueError:
        command.fail(f'invalid number "{text}"')


def set_use(conf: EventsConf, command: Command) -> None:
    command.once(conf.use)
    if command.args[0] != "epoll":
        command.fail(f'invalid event type "{command.args[0]}"')
    conf.use = "epoll"


def set_debug_connection(conf: Any, command: Command) -> None:
    command.warn('"debug_connection" is ignored, there is no debug log here')


module = CoreModule(
    name="events",
    main=EventsConf,
    directives=(
        Directive("events", MAIN, NOARGS, set_events, level="none", block=True),
        Directive("worker_connections", EVENTS, take(1), set_connections, level="main"),
        Directive("use", EVENTS, take(1), set_use, level="main"),
        Directive("debug_connection", EVENTS, take(1), set_debug_connection, level="main"),
    ),
)
