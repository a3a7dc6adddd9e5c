"""What a worker does beside requests for upstreams with a zone: tasks from its start to the beginning of its end.

Each task asks SharedPeers.on_duty whether it is this worker's turn. A bug in one is an alert, and the task begins anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from gateway.core.logs import ALERT, Log

if TYPE_CHECKING:
    import trio

    from gateway.http.cycle import HttpCycle, Worker
    from gateway.upstream.upstreams import Upstream

_AGAIN_S: Final = 1.0

# Called in the worker; what it gives runs until it is cancelled.
Task = Callable[["Worker"], Awaitable[None]]


class Duties:
    """The tasks of one configuration; `add` while it is read."""

    def __init__(self, cycle: HttpCycle, log: Log) -> None:
        self.log = log
        self.tasks: list[tuple[Upstream, Task]] = []
        self.scope: trio.CancelScope | None = None
        cycle.on_worker_start.append(self.start)
        cycle.on_worker_stop.append(self.stop)

    def add(self, upstream: Upstream, task: Task) -> None:
        self.tasks.append((upstream, task))

    def start(self, worker: Worker) -> None:
        import trio

        self.scope = trio.CancelScope()
        worker.nursery.start_soon(self._run, worker, self.scope)

    def stop(self) -> None:
        """The worker ends: another one may take what was ours."""
        if self.scope is not None:
            self.scope.cancel()
        for upstream, _ in self.tasks:
            if upstream.shared is not None:
                upstream.shared.off_duty()

    async def _run(self, worker: Worker, scope: trio.CancelScope) -> None:
        import trio

        with scope:
            async with trio.open_nursery() as nursery:
                for upstream, task in self.tasks:
                    nursery.start_soon(self._keep_running, upstream, task, worker)

    async def _keep_running(self, upstream: Upstream, task: Task, worker: Worker) -> None:
        import trio

        while True:
            try:
                await task(worker)
            except Exception as error:
                self.log.write(ALERT, b'task of upstream "%b" failed: %b' % (upstream.name, repr(error).encode()))
            await trio.sleep(_AGAIN_S)
