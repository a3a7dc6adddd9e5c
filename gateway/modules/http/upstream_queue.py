"""upstream_queue: `queue NUMBER [timeout=TIME]` of NGINX Plus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, take
from gateway.http.module import HttpModule
from gateway.modules.http.upstream import upstream_of
from gateway.upstream.peers.queue import Queue
from gateway.upstream.peers.shared_queue import SharedQueue

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.cycle import HttpCycle


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


def prepare(scope: Scope, loader: Loader) -> None:
    """The configuration is read: those that share their peers wait in one line."""
    cycle: HttpCycle = scope.owner
    for upstream in cycle.upstreams.all:
        if upstream.queue is not None and upstream.zoned:
            _share(cycle, upstream.queue)


def _share(cycle: HttpCycle, queue: Queue) -> None:
    line = queue.line = SharedQueue()
    cycle.on_worker_start.append(lambda worker: queue.begin_worker(worker.lane))
    cycle.on_worker_stop.append(queue.end_worker)
    cycle.on_worker_death.append(line.bury)


module = HttpModule(
    name="upstream_queue",
    directives=(Directive("queue", UPSTREAM, take(1, 2), set_queue),),
    prepare=prepare,
)
