"""The lane: one Trio task per worker that drives all sockets, timers and fibres (gateway._fast.lane does the work)."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from gateway._fast import lane as _lane
from gateway._fast.fibre import DONE_MARK, PARKED_MARK, Fibre, FibreCancelled, Timer, current_fibre, use_trio
from gateway._fast.file_slice import FileSlice
from gateway._fast.lane import Listener, NoRoom
from gateway._fast.stream import Stream
from gateway._fast.waits import in_trio, park, sleep

if TYPE_CHECKING:
    import trio

    from gateway._fast.timers import Due

# Trio is imported where it is used: it takes as long to load as all the rest, and -t and the bind need none of it.

__all__ = [
    "Fibre",
    "FibreCancelled",
    "FileSlice",
    "Lane",
    "Listener",
    "NoRoom",
    "Stream",
    "Timer",
    "current_fibre",
    "in_trio",
    "park",
    "sleep",
]


class Lane(_lane.Lane):
    """The lane of one worker, made after the fork; `run()` is its Trio task."""

    nursery: trio.Nursery | None = None

    # What compiled code calls in C under these names; here for plain sources (gateway.pure), and for mypy.

    def fresh(self) -> float:
        """`now`."""
        return self.now

    def wall_time(self) -> float:
        """`wall`."""
        return self.wall

    def date_text(self) -> bytes:
        """The time as in the Date field."""
        return self.http_date

    def plan(self, due: Due, when: float) -> None:
        """Have it called at this moment, if not unplanned or planned anew."""
        self.plan_due(due, when)

    def unplan(self, due: Due) -> None:
        self.unplan_due(due)

    async def run(self, *, task_status: trio.TaskStatus[None] | None = None) -> None:
        """Serve until cancelled; then every fibre has ended and every stream is closed."""
        import trio

        use_trio()
        rounds = _TrioRounds()
        self._watch_trio(*_runnable_tasks(), rounds.epoll, rounds.pause, rounds.heaped)
        if rounds.epoll >= 0:
            trio.lowlevel.add_instrument(rounds)  # type: ignore[arg-type]
        try:
            async with trio.open_nursery() as self.nursery:
                if task_status is not None:
                    task_status.started()
                try:
                    await self._turn_for_ever()
                finally:
                    if rounds.epoll >= 0:
                        trio.lowlevel.remove_instrument(rounds)  # type: ignore[arg-type]
                    self.end()
                    self.nursery.cancel_scope.cancel()
        finally:
            # tasks that ended last may have opened something
            self.end()
            self.release()
            self.nursery = None

    async def _turn_for_ever(self) -> None:
        import trio

        while True:
            pause_s = self.turn()
            if pause_s <= 0:
                await trio.lowlevel.checkpoint()
            elif pause_s == math.inf:
                await trio.lowlevel.wait_readable(self.epoll_fd)
            else:
                with trio.move_on_after(pause_s):
                    await trio.lowlevel.wait_readable(self.epoll_fd)

    def adopt(self, fibre: Fibre) -> None:
        """Go on with the fibre as a task in the lane's nursery."""
        if self.nursery is None:
            raise RuntimeError("in_trio() needs a lane that runs")
        self.nursery.start_soon(_task_of, fibre)


async def _task_of(fibre: Fibre) -> None:
    """What is left of a fibre after in_trio(); its failures are the lane's, a cancellation is Trio's."""
    import trio

    try:
        with trio.CancelScope() as scope:
            fibre.enter_trio(scope)
            await _drive(fibre)
    except Exception as error:
        fibre.trio_failed(error)
    except FibreCancelled:
        pass
    except BaseExceptionGroup as group:
        cancelled, rest = group.split(trio.Cancelled)
        if rest is not None:
            fibre.trio_failed(rest)
        if cancelled is not None:
            raise cancelled from None
    finally:
        fibre.trio_end()


@types.coroutine
def _drive(fibre: Fibre) -> Generator[Any, Any, None]:
    """Step through the fibre's coroutine: Trio's traps go to Trio, PARKED waits for the lane's reschedule."""
    import trio

    value: Any = None
    error: BaseException | None = None
    while True:
        trap = fibre.trio_step(value, error)
        value = error = None
        if trap is DONE_MARK:
            return
        try:
            if trap is PARKED_MARK:
                fibre.trio_wait(trio.lowlevel.current_task())
                yield from trio.lowlevel.wait_task_rescheduled(fibre.trio_abort).__await__()
            else:
                value = yield trap
        except BaseException as caught:
            error = caught


def _runnable_tasks() -> tuple[Any, Callable[[], int] | None]:
    """Trio's run queue, else a function that counts the tasks in it."""
    import trio

    try:
        # private, but its public twin current_statistics() costs as much as a whole request
        from trio._core._run import GLOBAL_RUN_CONTEXT

        queue = GLOBAL_RUN_CONTEXT.runner.runq
        len(queue)
    except (ImportError, AttributeError, TypeError):
        return None, lambda: trio.lowlevel.current_statistics().tasks_runnable
    return queue, None


class _TrioRounds:
    """What Trio's rounds leave to be done: an instrument of Trio's.

    The tasks of a round are in no queue any more: whether there are others is known at its beginning only.
    """

    epoll = -1  # Trio's; or not to be known: an old Trio, a clock of tests, a guest
    heaped: Any = None  # its deadlines, if they are kept in a `_heap`, whose first changes whenever they come earlier

    def __init__(self) -> None:
        self.alone = False  # the lane's task is the only one of this round, if no deadline has passed meanwhile
        self.first = math.inf  # the first deadline at its beginning
        try:
            from trio._core._run import GLOBAL_RUN_CONTEXT, SystemClock

            runner: Any = GLOBAL_RUN_CONTEXT.runner
            self.runner, self.clock, self.deadlines, self.queue = runner, runner.clock, runner.deadlines, runner.runq
            if type(self.clock) is SystemClock and not runner.is_guest and runner.clock_autojump_threshold == math.inf:
                self.after_io_wait(0)
                self.pause()
                self.epoll = runner.io_manager._epoll.fileno()
                self.heaped = self.deadlines if type(self.deadlines._heap) is list else None
        except (ImportError, AttributeError, TypeError):
            pass

    def after_io_wait(self, timeout: float) -> None:
        self.alone = len(self.queue) == 1
        self.first = self.deadlines.next_deadline()

    def pause(self) -> float:
        """How many seconds Trio would wait now, if nothing came; 0 where others are to run first, or may have to."""
        deadline: float = self.deadlines.next_deadline()
        if not self.alone or deadline != self.first or self.runner.waiting_for_idle:
            return 0.0
        left: float = self.clock.deadline_to_sleep_time(deadline)
        return left
