"""The master's table of child processes (nginx's ngx_processes)."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.core.logs import Log
from gateway.process import signals

FATAL: Final = 2  # a worker that ends with this code would end so again: it is not replaced


@dataclass(slots=True)
class Child:
    """One child process; the flags are nginx's."""

    pid: int
    name: str
    slot: int  # which worker it is, 0 and up; -1 for a new binary
    # Runs in the child, given the descriptor to say ready on; None: a master of its own.
    start: Callable[[int], None] | None
    respawn: bool = True
    just_started: bool = False  # by a reload: the next signal to the old ones is not for it
    exiting: bool = False
    exited: bool = False
    status: int = 0
    ready: int = -1  # becomes readable when the child serves, or has died

    @property
    def end(self) -> str:
        """How it ended."""
        if os.WIFSIGNALED(self.status):
            return f"exited on signal {os.WTERMSIG(self.status)} ({signal.strsignal(os.WTERMSIG(self.status))})"
        return f"exited with code {os.WEXITSTATUS(self.status)}"


class Children:
    """Starts, signals and buries children."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def spawn(
        self, name: str, slot: int, start: Callable[[int], None], log: Log, *, just_started: bool
    ) -> Child | None:
        """Fork a child that runs `start` and never returns from it."""
        reading, writing = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            log.alert(f'fork() failed while spawning "{name}"', errno=error.errno or 0)
            return None
        if pid == 0:
            code = FATAL
            try:
                os.close(reading)
                for other in self._all:
                    if other.ready >= 0:
                        os.close(other.ready)
                start(writing)
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            finally:
                os._exit(code)
        os.close(writing)
        log.notice(f"start {name} {pid}")
        child = Child(pid, name, slot, start, just_started=just_started, ready=reading)
        self._all.append(child)
        return child

    def adopt(self, pid: int, name: str) -> None:
        """Keep an eye on a child that is a master of its own (nginx: detached)."""
        self._all.append(Child(pid, name, -1, None, respawn=False))

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until all new children serve; False if one of them died first or time ran out."""
        deadline = time.monotonic() + timeout_s
        well = True
        while waiting := [child for child in self._all if child.ready >= 0]:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ready, _, _ = select.select([child.ready for child in waiting], [], [], left)
            for child in waiting:
                if child.ready in ready:
                    well = bool(os.read(child.ready, 1)) and well
                    os.close(child.ready)
                    child.ready = -1
        return well

    def signal(self, number: signal.Signals, log: Log) -> None:
        """Send a signal to all workers, but for those that a reload has just started (ngx_signal_worker_processes)."""
        for child in self._all:
            if child.start is None or child.exited:
                continue
            if child.just_started:
                child.just_started = False
                continue
            if child.exiting and number == signals.SHUTDOWN:
                continue
            try:
                os.kill(child.pid, number)
            except OSError as error:
                log.alert(f"kill({child.pid}, {number.value}) failed", errno=error.errno or 0)
                continue
            if number != signals.REOPEN:
                child.exiting = True

    def collect(self, log: Log) -> None:
        """Take the exit codes of the dead, with nginx's lines about them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = next((child for child in self._all if child.pid == pid), None)
            name = "unknown process" if child is None else child.name
            if child is not None:
                child.status = status
                child.exited = True
            if os.WIFSIGNALED(status):
                core = " (core dumped)" if os.WCOREDUMP(status) else ""
                log.alert(f"{name} {pid} exited on signal {os.WTERMSIG(status)}{core}")
                continue
            code = os.WEXITSTATUS(status)
            log.notice(f"{name} {pid} exited with code {code}")
            if code == FATAL and child is not None and child.respawn:
                log.alert(f"{name} {pid} exited with fatal code {code} and cannot be respawned")
                child.respawn = False

    def bury(self) -> list[Child]:
        """Take the dead out of the table."""
        dead = [child for child in self._all if child.exited]
        self._all = [child for child in self._all if not child.exited]
        for child in dead:
            if child.ready >= 0:
                os.close(child.ready)
        return dead

    @property
    def live(self) -> bool:
        """Whether there is a child that the master's end has to wait for."""
        return any(child.start is not None for child in self._all)

    @property
    def draining(self) -> int:
        """Workers of older cycles that still finish what they have."""
        return sum(1 for child in self._all if child.exiting)
