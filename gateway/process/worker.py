"""A worker process: privileges dropped, the lane run in Trio, and an orderly end."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import random
import resource
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import openssl_memory
from gateway._fast import process as system
from gateway.process import environment, pidfile, signals
from gateway.process.cycle import Cycle, redirect_stderr
from gateway.process.errors import one_line

if TYPE_CHECKING:
    from gateway.process.configuration import Serving

_FATAL: Final = 2
# How often the end of the last connections is looked for.
_LOOK_S: Final = 0.02
# What tasks may take to clean up once they are cancelled, before the process ends without them.
_CLEAN_UP_S: Final = 2.0


class WorkerProcess:
    """The state of this process while it serves one cycle."""

    def __init__(self, cycle: Cycle, number: int, *, single: bool = False) -> None:
        self.cycle = cycle
        self.number = number
        self.single = single
        self.serving: list[Serving] = []
        self.quitting = False
        self.reconfigure: Any = None  # in the single process: makes the next cycle

    def prepare(self) -> None:
        """What nginx does in ngx_worker_process_init; SystemExit(2) when the worker can never run."""
        core = self.cycle.configuration.core
        log = self.cycle.log
        environment.apply(core.env)
        if core.worker_priority:
            try:
                os.setpriority(os.PRIO_PROCESS, 0, core.worker_priority)
            except OSError as error:
                log.alert(f"setpriority({core.worker_priority}) failed", errno=error.errno or 0)
        for value, limit, name in (
            (core.worker_rlimit_nofile, resource.RLIMIT_NOFILE, "RLIMIT_NOFILE"),
            (core.worker_rlimit_core, resource.RLIMIT_CORE, "RLIMIT_CORE"),
        ):
            if value is not None:
                try:
                    resource.setrlimit(limit, (value, value))
                except (OSError, ValueError, OverflowError) as error:
                    # Python makes a ValueError of EPERM: more than this process, or the kernel, may have
                    number = getattr(error, "errno", None) or errno.EPERM
                    log.alert(f"setrlimit({name}, {value}) failed", errno=number)
        if os.geteuid() == 0 and core.user is not None and core.group is not None:
            self._drop_root(core.user, core.group, core.username, core.transparent)
        affinity = core.cpu_affinity(self.number)
        if affinity:
            try:
                os.sched_setaffinity(0, affinity)
            except OSError as error:
                log.alert("sched_setaffinity() failed", errno=error.errno or 0)
        system.allow_core_dumps()
        if core.working_directory:
            try:
                os.chdir(core.working_directory)
            except OSError as error:
                log.alert(f'chdir("{core.working_directory}") failed', errno=error.errno or 0)
                raise SystemExit(_FATAL) from None

    def _drop_root(self, user: int, group: int, name: str, transparent: bool) -> None:
        log = self.cycle.log
        try:
            os.setgid(group)
        except OSError as error:
            log.emerg(f"setgid({group}) failed", errno=error.errno or 0)
            raise SystemExit(_FATAL) from None
        try:
            os.initgroups(name, group)
        except OSError as error:
            log.emerg(f"initgroups({name}, {group}) failed", errno=error.errno or 0)
        try:
            if transparent and user:
                system.keep_capabilities()
            os.setuid(user)
            if transparent and user:
                system.limit_capabilities()
        except OSError as error:
            call = error.strerror if error.strerror and error.strerror.endswith(")") else f"setuid({user})"
            log.emerg(f"{call} failed", errno=error.errno or 0)
            raise SystemExit(_FATAL) from None

    def run(self, ready: int) -> None:
        """Serve until told to end. `ready` gets a byte when the first connection may come."""
        import trio

        random.seed()
        gc.enable()
        openssl_memory.serve()
        trio.run(self._main, ready, restrict_keyboard_interrupt_to_checkpoints=True)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.cycle.configuration.files.flush()
        self.cycle.log.notice("exit")

    async def _main(self, ready: int) -> None:
        """Ends when this worker has to; a cancellation closes what is open without ceremony."""
        import trio

        for number in signals.ALL:
            # What comes before and after the receiver's time must not end the process, nor be lost while it is blocked.
            signal.signal(number, _nothing)
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*signals.ALL - {signal.SIGCHLD}) as receiver:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.ALL)
                lane = self.cycle.configuration.lane()
                nursery.start_soon(lane.run)
                self._serve(lane, nursery)
                if ready >= 0:
                    with contextlib.suppress(OSError):  # a master that was killed asks no more
                        os.write(ready, b"1")
                    os.close(ready)
                await self._obey(receiver, lane, nursery)
            self._end_at(time.monotonic() + _CLEAN_UP_S)
            nursery.cancel_scope.cancel()

    def _serve(self, lane: Any, nursery: Any) -> None:
        mine = [listener for listener in self.cycle.sockets if listener.worker in (None, self.number)]
        self.serving.append(self.cycle.configuration.serve(self.number, lane, nursery, mine))

    async def _obey(self, receiver: Any, lane: Any, nursery: Any) -> None:
        """Act on signals until one of them, or the last connection of a graceful end, ends the worker."""
        import trio

        done = trio.Event()
        number: int
        async with trio.open_nursery() as ending:

            async def drain() -> None:
                await self._drain()
                done.set()
                ending.cancel_scope.cancel()

            async for number in receiver:
                action = self._action(number)
                # The sender is not known here: Python's handlers get no siginfo.
                self.cycle.log.notice(signals.describe(number, 0, action))
                if number in (signals.TERMINATE, signal.SIGINT):
                    self.cycle.log.notice("exiting")
                    ending.cancel_scope.cancel()
                    return
                if number == signals.SHUTDOWN and not self.quitting:
                    if self.single:
                        ending.cancel_scope.cancel()
                        return
                    self.quitting = True
                    self.cycle.log.notice("gracefully shutting down")
                    system.set_title(b"gateway: worker process is shutting down")
                    self._stop_accepting()
                    ending.start_soon(drain)
                elif number == signals.REOPEN:
                    self.cycle.log.notice("reopening logs")
                    self.cycle.configuration.reopen(None)
                    redirect_stderr(self.cycle)
                elif number == signals.RECONFIGURE and self.reconfigure is not None:
                    self._reconfigure(lane, nursery)

    def _action(self, number: int) -> str:
        if number in (signals.TERMINATE, signal.SIGINT):
            return ", exiting"
        if number == signals.SHUTDOWN:
            return ", shutting down"
        if number == signals.REOPEN:
            return ", reopening logs"
        if number == signals.RECONFIGURE and self.single:
            return ", reconfiguring"
        if number in (signals.RECONFIGURE, signals.CHANGE_BINARY, signal.SIGIO):
            return ", ignoring"
        return ""

    def _stop_accepting(self) -> None:
        for serving in self.serving:
            serving.close_listeners()
        if not self.single:
            for listener in self.cycle.sockets:
                listener.socket.close()
        for serving in self.serving:
            serving.close_idle()

    async def _drain(self) -> None:
        """Wait for the connections that are left, at most worker_shutdown_timeout."""
        import trio

        limit = self.cycle.configuration.core.worker_shutdown_timeout
        deadline = time.monotonic() + limit if limit else None
        while any(serving.active for serving in self.serving):
            if deadline is not None and time.monotonic() >= deadline:
                for serving in self.serving:
                    serving.abort()
                deadline = None
            await trio.sleep(_LOOK_S)
        self.cycle.log.notice("exiting")

    def _reconfigure(self, lane: Any, nursery: Any) -> None:
        new = self.reconfigure(self.cycle)
        if new is None:
            return
        for serving in self.serving:
            serving.close_listeners()
            serving.close_idle()
        self.serving = [serving for serving in self.serving if serving.active]
        self.cycle = new
        self._serve(lane, nursery)

    def _end_at(self, moment: float) -> None:
        """Should a task not end when cancelled, the process does anyway."""

        def give_up(_signal: int, _frame: Any) -> None:
            self.cycle.configuration.files.flush()
            if self.single:
                pidfile.delete(self.cycle.pid_file, self.cycle.log)
            os._exit(0)

        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, max(0.01, moment - time.monotonic()))


def _nothing(_signal: int, _frame: Any) -> None:
    """A handler for signals that mean nothing any more."""


def preload() -> None:
    """Import, before the fork and after the sockets are bound, what each worker would otherwise import for itself."""
    for name in ("trio", "gateway.core.lane"):
        importlib.import_module(name)
    # What a traceback is made with is imported by the first one.
    traceback.format_exception(RuntimeError())
    # Importing Trio runs ldconfig (ctypes.util); its end is not a worker's.
    signal.sigtimedwait({signal.SIGCHLD}, 0)


def run(cycle: Cycle, number: int, master: int, ready: int) -> None:
    """The whole life of a worker, in a process that the master has just forked."""
    worker = WorkerProcess(cycle, number)
    log = cycle.log
    try:
        worker.prepare()
        # After setuid, which clears it. In flight requests are finished even when the master was killed.
        system.signal_when_parent_dies(signals.SHUTDOWN)
        if os.getppid() != master:
            return
        system.set_title(b"gateway: worker process")
        worker.run(ready)
    except SystemExit:
        raise
    except BaseException as error:
        # Before it served a first connection it will not fare better when started again.
        log.alert("worker process failed: " + one_line(error))
        raise SystemExit(1 if worker.serving else _FATAL) from None
