"""From the command line to a running master (nginx's main)."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable

import gateway
from gateway.core.logs import INFO, NOTICE, FileSink, Log, console, say
from gateway.core.open_files import OpenFiles
from gateway.process import cycle as cycles
from gateway.process import daemon, ending, pidfile, report, service_manager, signals, upgrade, worker
from gateway.process.configuration import Configuration, Load
from gateway.process.cycle import Cycle
from gateway.process.errors import CycleError
from gateway.process.master import Master
from gateway.process.options import Options


def initial_log(options: Options) -> tuple[Log, OpenFiles]:
    """Where errors go until the configuration has been read: the file of -e, else stderr (ngx_log_init)."""
    files = OpenFiles()
    file = files.add(options.error_log)
    try:
        files.open()
    except OSError as error:
        say(
            f'[alert] could not open error log file: open() "{error.filename}" failed '
            f"({error.errno}: {error.strerror})"
        )
        files = OpenFiles()
        file = files.add("")
    return Log(FileSink(file, INFO if options.test else NOTICE)), files


# Told, at a terminal, when the first workers accept: the configuration, the options, seconds since the start.
Shown = Callable[[Configuration, Options, float], None]


def main(options: Options, load: Load, shown: Shown | None = None) -> int:
    """Do what the options ask for; the exit code."""
    begin = time.monotonic()
    log, files = initial_log(options)
    if options.test:
        return cycles.test(options, load, log)
    try:
        if options.signal:
            return _signal(options, cycles.load_configuration(options, load, log), log)
        inherited, upgrading = upgrade.inherited(os.environ, log)
        configuration = cycles.load_configuration(options, load, log)
        cycle = cycles.initial(options, configuration, inherited, log)
    except CycleError:
        return 1
    _say_hello(cycle.log)
    parent = os.getppid()
    signals.block()
    launch = None
    core = configuration.core
    if core.daemon and not upgrading:
        before = os.getpid()
        launch = daemon.detach()
        parent = before
    try:
        pidfile.create(core.pid, cycle.log)
    except CycleError:
        return 1
    cycles.redirect_stderr(cycle)
    files.close()
    console.enabled = False
    if launch is not None:
        launch.done()
    if not core.master_process:
        return _single(cycle, load)
    master = Master(cycle, load, parent=parent, daemonized=upgrading or launch is not None, inherited=upgrading)
    if shown is not None and launch is None and not upgrading:
        master.on_ready = lambda: shown(configuration, options, time.monotonic() - begin)
    return master.run()


def _say_hello(log: Log) -> None:
    """nginx's ngx_os_status."""
    system = os.uname()
    log.notice(f"gateway/{gateway.__version__} (nginx/{gateway.NGINX_VERSION})")
    log.notice('using the "epoll" event method')
    log.notice(f"built by {sys.implementation.name} {sys.version.split()[0]}")
    log.notice(f"OS: {system.sysname} {system.release}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    log.notice(f"getrlimit(RLIMIT_NOFILE): {soft}:{hard}")


def _signal(options: Options, configuration: Configuration, log: Log) -> int:
    """-s: nginx ends when the signal is sent; a reload is waited for and its outcome told, on a terminal an end too."""
    log.notice("signal process started")
    pid = pidfile.read(configuration.core.pid, log)
    if pid is None:
        return 1
    if options.signal in ("quit", "stop") and not options.quiet and sys.stderr.isatty():
        return ending.send_and_wait(options.signal, pid, log)
    asker = report.Asker() if options.signal == "reload" else None
    if not signals.send(options.signal, pid, log):
        return 1
    if asker is None:
        return 0
    answer = asker.wait(pid)
    if answer is None:
        say(f"the reload signal was sent to {pid}, which has not said what became of it; see the error log")
        return 1
    word, text = answer
    if word == report.DONE:
        if not options.quiet and sys.stderr.isatty():
            say(text)
        return 0
    say(f"the reload failed, the old configuration goes on: {text}")
    return 1


def _single(cycle: Cycle, load: Load) -> int:
    """master_process off: one process, for development."""
    single = worker.WorkerProcess(cycle, 0, single=True)

    def reconfigure(old: Cycle) -> Cycle | None:
        old.log.notice("reconfiguring")
        askers = report.askers()
        for asker in askers:
            report.tell(asker, report.BEGAN)
        try:
            new = cycles.following(old, load)
        except CycleError as error:
            for asker in askers:
                report.tell(asker, report.FAILED, str(error))
            return None
        for asker in askers:
            report.tell(asker, report.DONE, f"generation {new.generation} is live")
        return new

    single.reconfigure = reconfigure
    service_manager.ready("one process serves")
    single.run(-1)
    pidfile.delete(single.cycle.pid_file, single.cycle.log)
    return 0
