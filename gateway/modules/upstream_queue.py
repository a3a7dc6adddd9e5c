"""upstream_queue: `queue NUMBER [timeout=TIME]` of NGINX Plus."""

from __future__ import annotations

from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.modules.upstream import upstream_of
from gateway.upstream.queue import Queue


def set_queue(conf: None, command: Command) -> None:
    upstream = upstream_of(command)
    if upstream.queue is not None:
        command.duplicate()
    text = command.args[0]
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 31:
        command.fail(f'invalid value "{text}" in "queue" directive')
    timeout_s = 60.0
    for parameter in command.args[1:]:
        key, _, value = parameter.partition("=")
        try:
            if key != "timeout":
                raise ValueError(key)
            timeout_s = units.parse_time_ms(value) / 1000
        except ValueError:
            command.fail(f'invalid parameter "{parameter}"')
    upstream.queue = Queue(int(text), timeout_s)


module = HttpModule(
    name="upstream_queue",
    directives=(Directive("queue", UPSTREAM, take(1, 2), set_queue),),
)
