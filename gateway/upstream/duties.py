"""What a worker does beside requests for upstreams with a zone, and for caches: tasks from its start to its end.

Each task asks its owner's on_duty() whether it is this worker's turn. A bug in one is an alert, and it begins anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from gateway.core.logs import ALERT, Log

if TYPE_CHECKING:
    import trio

    from gateway.serving.cycle import BlockCycle
    from gateway.serving.worker import Worker

_AGAIN_S: Final = 1.0

# Called in the worker; what it gives runs until it is cancelled.
Task = Callable[["Worker"], Awaitable[None]]


class Owner(Protocol):
    """What a task is for."""

    @property
    def kind_and_name(self) -> bytes:
        """For the log: `upstream "backend"`."""

    def off_duty(self) -> None:
        """This worker ends: another one may take what was ours."""


class Duties:
    """The tasks of one configuration; `add` while it is read."""

    def __init__(self, cycle: BlockCycle, log: Log) -> None:
        self.log = log
        self.tasks: list[tuple[Owner, Task]] = []
        self.scope: trio.CancelScope | None = None
        cycle.on_worker_start.append(self.start)
        cycle.on_worker_stop.append(self.stop)

    def add(self, owner: Owner, task: Task) -> None:
        self.tasks.append((owner, task))

    def start(self, worker: Worker) -> None:
        import trio

        self.scope = trio.CancelScope()
        worker.nursery.start_soon(self._run, worker, self.scope)

    def stop(self) -> None:
        """The worker ends: another one may take what was ours."""
        if self.scope is not None:
            self.scope.cancel()
        for owner, _ in self.tasks:
            owner.off_duty()

    async def _run(self, worker: Worker, scope: trio.CancelScope) -> None:
        import trio

        with scope:
            async with trio.open_nursery() as nursery:
                for owner, task in self.tasks:
                    nursery.start_soon(self._keep_running, owner, task, worker)

    async def _keep_running(self, owner: Owner, task: Task, worker: Worker) -> None:
        import trio

        while True:
            try:
                await task(worker)
            except Exception as error:
                self.log.write(ALERT, b"task of %b failed: %b" % (owner.kind_and_name, repr(error).encode()))
            await trio.sleep(_AGAIN_S)
