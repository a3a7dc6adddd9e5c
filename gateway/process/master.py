"""The master: a synchronous loop over signals (nginx's ngx_master_process_cycle)."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from gateway._fast import process as system
from gateway.core.event_log import the_events
from gateway.core.logs import CRIT, Log
from gateway.process import cycle as cycles
from gateway.process import pidfile, report, service_manager, signals, sockets, upgrade, worker
from gateway.process.children import Children
from gateway.process.configuration import Load
from gateway.process.cycle import Cycle
from gateway.process.errors import CycleError, one_line

# How long a reload waits for its new workers before it tells the old ones to end; nginx sleeps 100 ms.
_NEW_WORKERS_S: Final = 5.0
# How often somebody at a terminal hears what is left.
_TELL_S: Final = 1.0
# The rhythm of SIGTERM to workers that do not end, then SIGKILL (nginx: delay).
_FIRST_DELAY_S: Final = 0.05
_KILL_AFTER_S: Final = 1.0


class Master:
    """The master's state between two signals; the names of its flags are nginx's."""

    def __init__(self, cycle: Cycle, load: Load, *, parent: int, daemonized: bool, inherited: bool) -> None:
        self.cycle = cycle
        self.load = load
        self.parent = parent  # the parent at start: an upgraded master whose parent is gone may upgrade again
        self.daemonized = daemonized
        self.inherited = inherited
        self.children = Children()
        self.new_binary = 0
        self.quit = False
        self.terminate = False
        self.no_accepting = False
        self._delay = 0.0
        self.on_ready: Callable[[], None] | None = None  # once, when the first workers accept
        self._asker = 0  # who wants to know what an end still waits for

    @property
    def log(self) -> Log:
        return self.cycle.log

    def run(self) -> int:
        """Serve until told to end; the exit code. Signals are blocked already."""
        system.set_title(b"gateway: master process " + os.fsencode(" ".join(self.cycle.options.argv)))
        worker.preload()
        self.cycle.configuration.preload()
        gc.freeze()  # the children share these pages as long as no collector touches them
        self.start_workers(just_started=False)
        self.children.wait_ready(_NEW_WORKERS_S)
        service_manager.ready(self._live())
        if self.inherited:  # the old one's events are its own
            text = f"has taken over beside the old one, pid {self.parent}"
            the_events().tell("notice", "binary", sys.orig_argv[0], text)
        if self.on_ready is not None:
            self._show()
        while True:
            if (self.terminate or self.quit) and not self.children.live:
                return self._exit()
            if not self.terminate and not self.quit:
                system.forget_code()  # what watches needs little of it
            wait_s = self._delay or (_TELL_S if self._asker else 0.0)
            info = signal.sigtimedwait(signals.ALL, wait_s) if wait_s else signal.sigwaitinfo(signals.ALL)
            try:
                if info is None:
                    if self._asker:
                        self._tell_what_is_left()
                    if self._delay:
                        self._insist()
                else:
                    self._receive(info.si_signo, info.si_pid)
            except Exception as error:
                # A mistake of ours on one signal is no reason to leave the workers without a master.
                self.log.alert("master process failed: " + one_line(error))

    def _receive(self, number: int, sender: int) -> None:
        upgrading = number == signals.CHANGE_BINARY and (os.getppid() == self.parent or self.new_binary > 0)
        self.log.notice(signals.describe(number, sender, self._action(number, upgrading)))
        if number == signal.SIGCHLD:
            self._reap()
        elif number in (signals.TERMINATE, signal.SIGINT):
            self.terminate = True
            service_manager.stopping(self.new_binary)
            self._delay = _FIRST_DELAY_S
            self._asker = sender
            self.children.signal(signals.TERMINATE, self.log)
        elif self.terminate:
            self._refuse(number, sender)  # nothing else matters any more
        elif number == signals.SHUTDOWN:
            self._asker = sender
            if not self.quit:
                self.quit = True
                service_manager.stopping(self.new_binary)
                self.children.signal(signals.SHUTDOWN, self.log)
                self._close_sockets()
        elif self.quit:
            self._refuse(number, sender)
        elif number == signals.RECONFIGURE:
            if self.new_binary:
                self.start_workers(just_started=False)
                self.no_accepting = False
                report.tell(sender, report.DONE, "the workers of the old binary run again")
            else:
                self._reconfigure(sender)
        elif number == signals.REOPEN:
            self._reopen()
        elif number == signals.CHANGE_BINARY:
            if upgrading:
                self.log.write(
                    CRIT,
                    "the changing binary signal is ignored: "
                    "you should shutdown or terminate before either old or new binary's process",
                )
            else:
                self._change_binary()
        elif number == signals.NO_ACCEPT and self.daemonized:
            self.no_accepting = True
            self.children.signal(signals.SHUTDOWN, self.log)

    def _refuse(self, number: int, sender: int) -> None:
        if number == signals.RECONFIGURE:
            report.tell(sender, report.FAILED, "the server is ending")

    def _tell_what_is_left(self) -> None:
        """Each second while an end takes its time, to who asked for it on a terminal."""
        workers = sum(1 for child in self.children if child.start is not None)
        connections = self.cycle.configuration.active
        what = f"{_count(connections, 'connection')} in {_count(workers, 'worker')}"
        if not report.tell(self._asker, report.LEFT, f"waiting for {what} to end{self._limit()}"):
            self._asker = 0

    def _show(self) -> None:
        """In a process of its own, and nobody's child: it asks upstreams, and a master does nothing but watch."""
        middle = os.fork()
        if middle:
            os.waitpid(middle, 0)
        elif os.fork():
            os._exit(0)
        else:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                assert self.on_ready is not None
                self.on_ready()
            finally:
                os._exit(0)

    def _live(self) -> str:
        return f"generation {self.cycle.generation} is live"

    def _limit(self) -> str:
        limit: float = self.cycle.configuration.core.worker_shutdown_timeout
        return f" (worker_shutdown_timeout is {limit:g} s)" if limit else ""

    def _action(self, number: int, ignored: bool) -> str:
        if number == signals.NO_ACCEPT:
            return ", stop accepting connections" if self.daemonized else ""
        if number == signals.CHANGE_BINARY:
            return ", ignoring" if ignored else ", changing binary"
        return {
            signals.SHUTDOWN: ", shutting down",
            signals.TERMINATE: ", exiting",
            signal.SIGINT: ", exiting",
            signals.RECONFIGURE: ", reconfiguring",
            signals.REOPEN: ", reopening logs",
        }.get(signal.Signals(number), "")

    def start_workers(self, *, just_started: bool) -> None:
        """One worker for each of worker_processes."""
        self.log.notice("start worker processes")
        for number in range(self.cycle.configuration.core.worker_processes):
            self._start_worker(number, just_started=just_started)

    def _start_worker(self, number: int, *, just_started: bool) -> bool:
        start = functools.partial(worker.run, self.cycle, number, os.getpid())
        return self.children.spawn("worker process", number, start, self.log, just_started=just_started) is not None

    def _insist(self) -> None:
        """Workers that have not ended yet get another SIGTERM, after a second SIGKILL."""
        self._delay *= 2
        number = signal.SIGKILL if self._delay > _KILL_AFTER_S else signals.TERMINATE
        self.children.signal(number, self.log)

    def _reap(self) -> None:
        self.children.collect(self.log)
        for child in self.children.bury():
            respawn = child.respawn and not child.exiting and not self.terminate and not self.quit
            self.cycle.configuration.buried(child.pid, respawn)
            if respawn:
                # A dead worker of the cycle that runs now; those of older ones were told to end.
                started = self._start_worker(child.slot, just_started=False)
                if not started:
                    self.log.alert(f"could not respawn {child.name}")
                text = "died, and was replaced" if started else "died, and cannot be replaced"
                the_events().tell("alert", "worker", f"{child.slot}, pid {child.pid}", text, child.end)
            elif child.pid == self.new_binary:
                the_events().tell("error", "binary", sys.orig_argv[0], "the new one ended; this one goes on", child.end)
                self._new_binary_ended()
            elif not child.exiting and child.start is not None and not self.terminate and not self.quit:
                the_events().tell("alert", "worker", f"{child.slot}, pid {child.pid}", "died for good", child.end)

    def _new_binary_ended(self) -> None:
        old, name = self.cycle.old_pid_file, self.cycle.pid_file
        try:
            os.rename(old, name)
        except OSError as error:
            self.log.alert(
                f'rename() {old} back to {name} failed after the new binary process "{sys.orig_argv[0]}" exited',
                errno=error.errno or 0,
            )
        self.new_binary = 0
        if self.no_accepting and not self.quit:
            self.no_accepting = False
            self.start_workers(just_started=False)

    def _reconfigure(self, sender: int) -> None:
        """Load anew; the old cycle goes on when that fails, and its workers end once the new ones serve."""
        report.tell(sender, report.BEGAN)
        service_manager.reloading()
        self.log.notice("reconfiguring")
        gc.unfreeze()
        try:
            self.cycle = cycles.following(self.cycle, self.load)
            self.cycle.configuration.preload()
        except CycleError as error:
            self._reload_failed(sender, str(error))
            return
        except Exception as error:
            self.log.emerg("reconfiguring failed: " + one_line(error))
            self._reload_failed(sender, f"{type(error).__name__}: {error}")
            return
        finally:
            gc.collect()
            gc.freeze()
        self.start_workers(just_started=True)
        well = self.children.wait_ready(_NEW_WORKERS_S)
        self.children.signal(signals.SHUTDOWN, self.log)
        if well:
            draining = self.children.draining
            ends = "finishes its" if draining == 1 else "finish their"
            text = f"{self._live()}, {_count(draining, 'old worker')} {ends} connections"
            report.tell(sender, report.DONE, text)
            self._tell_reload("notice", "was loaded anew", text)
            service_manager.ready(self._live())
        else:
            self._reload_failed(sender, "the new workers did not start; see the error log")

    def _reload_failed(self, sender: int, why: str) -> None:
        report.tell(sender, report.FAILED, why)
        self._tell_reload("emerg", "was not loaded anew; the old one goes on", why)
        service_manager.ready(f"{self._live()}; the last reload failed: {why.splitlines()[0] if why else ''}")

    def _tell_reload(self, level: str, text: str, cause: str) -> None:
        the_events().tell(level, "configuration", self.cycle.options.conf_file or "nginx.conf", text, cause)

    def _reopen(self) -> None:
        self.log.notice("reopening logs")
        self.cycle.configuration.reopen(self.cycle.configuration.core.user)
        cycles.redirect_stderr(self.cycle)
        self.children.signal(signals.REOPEN, self.log)

    def _change_binary(self) -> None:
        self.log.notice("changing binary")
        old, name = self.cycle.old_pid_file, self.cycle.pid_file
        try:
            os.rename(name, old)
        except OSError as error:
            self.log.alert(
                f'rename() {name} to {old} failed before executing new binary process "{sys.orig_argv[0]}"',
                errno=error.errno or 0,
            )
            return
        pid = upgrade.execute(self.cycle.sockets, self.cycle.configuration.core.env, os.environ, self.log)
        if pid is not None:
            self.new_binary = pid
            self.children.adopt(pid, "new binary process")
            the_events().tell("notice", "binary", sys.orig_argv[0], f"the new one is started, pid {pid}")
            return
        the_events().tell("error", "binary", sys.orig_argv[0], "the new one was not started", "see the error log")
        try:
            os.rename(old, name)
        except OSError as error:
            self.log.alert(
                f"rename() {old} back to {name} failed after an attempt to execute new binary process "
                f'"{sys.orig_argv[0]}"',
                errno=error.errno or 0,
            )

    def _close_sockets(self) -> None:
        shared = self.new_binary != 0 or (self.inherited and os.getppid() == self.parent)
        sockets.close_all(self.cycle.sockets, self.log, delete_files=not shared)

    def _exit(self) -> int:
        pidfile.delete(self.cycle.old_pid_file if self.new_binary else self.cycle.pid_file, self.log)
        self.log.notice("exit")
        self._close_sockets()
        return 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
