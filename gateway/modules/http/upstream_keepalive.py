"""upstream_keepalive: idle connections of an upstream; 32 for each worker and location without any directive.

nginx has no `multiplex`, and refuses it: requests over HTTP/2 share connections (upstream/exchange/carrier.py).
"""

from __future__ import annotations

from typing import Any, Final

from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import upstream_of
from gateway.upstream.exchange.keepalive import Keepalive

# As many as most servers allow.
_STREAMS: Final = 100


def _keepalive(command: Command) -> Keepalive:
    """The settings of this upstream, once for each directive."""
    upstream = upstream_of(command)
    if command.name in upstream.seen:
        command.duplicate()
    upstream.seen.add(command.name)
    assert upstream.keepalive is not None
    return upstream.keepalive


def set_keepalive(conf: None, command: Command) -> None:
    keepalive = _keepalive(command)
    text = command.args[0]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        command.fail(f'invalid value "{text}" in "{command.name}" directive')
    keepalive.size = int(text)
    keepalive.local = False
    if len(command.args) == 2:
        parameter = command.args[1]
        streams = _streams(parameter)
        if streams:
            keepalive.streams = streams
        elif parameter == "local":
            keepalive.local = True
        else:
            command.fail(f'invalid parameter "{parameter}"')


def _streams(parameter: str) -> int:
    """`multiplex[=M]`: how many requests may share an HTTP/2 connection; 0 if it is something else."""
    if parameter == "multiplex":
        return _STREAMS
    name, _, number = parameter.partition("=")
    if name != "multiplex" or not number.isascii() or not number.isdigit() or not 0 < len(number) < 10:
        return 0
    return int(number)


def set_requests(conf: None, command: Command) -> None:
    keepalive = _keepalive(command)
    text = command.args[0]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        command.refuse("invalid number")
    keepalive.requests = int(text)


def _seconds(command: Command) -> float:
    try:
        return units.parse_time_ms(command.args[0]) / 1000
    except ValueError:
        command.refuse("invalid value")


def set_time(conf: Any, command: Command) -> None:
    _keepalive(command).time_s = _seconds(command)


def set_timeout(conf: Any, command: Command) -> None:
    _keepalive(command).timeout_s = _seconds(command)


module = HttpModule(
    name="upstream_keepalive",
    directives=(
        Directive("keepalive", UPSTREAM, take(1, 2), set_keepalive),
        Directive("keepalive_requests", UPSTREAM, take(1), set_requests),
        Directive("keepalive_time", UPSTREAM, take(1), set_time),
        Directive("keepalive_timeout", UPSTREAM, take(1), set_timeout),
    ),
)
