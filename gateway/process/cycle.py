"""One cycle: a configuration with its files, sockets and zones, set up whole or not at all (nginx's ngx_init_cycle)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config.errors import ConfigError, format_for_terminal
from gateway.core.files import FileError
from gateway.core.logs import ERROR, LEVELS, FileSink, Log, console, say
from gateway.core.open_files import STDERR
from gateway.core.temp_files import TempPath
from gateway.process import pidfile, sockets
from gateway.process.configuration import Configuration, Load
from gateway.process.errors import CycleError
from gateway.process.options import Options
from gateway.process.sockets import OpenSocket

# More than fit on a screen help nobody.
_MOST_ERRORS: Final = 20
# What has a folder for temporary files by default, and a directive …_temp_path for another one.
_TEMPORARY: Final = frozenset(("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


@dataclass(slots=True, eq=False)
class Cycle:
    """What is running: the first has generation 1, each reload adds one."""

    options: Options
    configuration: Configuration
    log: Log
    sockets: list[OpenSocket]
    generation: int = 1

    @property
    def pid_file(self) -> str:
        pid: str = self.configuration.core.pid
        return pid

    @property
    def old_pid_file(self) -> str:
        return self.pid_file + pidfile.OLD_SUFFIX


def load_configuration(options: Options, load: Load, log: Log) -> Configuration:
    """Read the configuration; CycleError after nginx's line in the log."""
    try:
        return load(options, log)
    except ConfigError as error:
        _complain(error, log)
        for further in error.further[:_MOST_ERRORS]:
            _complain(further, log)
        if len(error.further) > _MOST_ERRORS:
            log.emerg(f"and {len(error.further) - _MOST_ERRORS} more mistakes")
        raise CycleError(str(error)) from error


def _complain(error: ConfigError, log: Log) -> None:
    """nginx's line, and on a terminal the source and advice below it."""
    log.write(LEVELS[error.level], str(error))
    if console.enabled and os.isatty(STDERR):
        # The first line, nginx's own, is there already.
        report = format_for_terminal(error, color="NO_COLOR" not in os.environ)
        if explanation := report.partition("\n")[2]:
            os.write(STDERR, explanation.encode("utf-8", "surrogateescape") + b"\n")


def initial(
    options: Options, configuration: Configuration, inherited: Sequence[OpenSocket], log: Log
) -> Cycle:
    """The first cycle of a process; `log` is the one of the command line (-e)."""
    return _set_up(options, configuration, inherited, None, log)


def following(old: Cycle, load: Load) -> Cycle:
    """The cycle after a reload; CycleError leaves the old one as it was."""
    configuration = load_configuration(old.options, load, old.log)
    return _set_up(old.options, configuration, old.sockets, old, old.log)


def _set_up(
    options: Options, configuration: Configuration, old_sockets: Sequence[OpenSocket], old: Cycle | None, log: Log
) -> Cycle:
    core = configuration.core
    testing = options.test
    moved_pid = old is not None and core.pid != old.pid_file
    if testing or moved_pid:
        # The first pid file is written later, by the process that stays.
        pidfile.create(core.pid, log, testing=testing)
    if moved_pid and old is not None:
        pidfile.delete(old.pid_file, log)
    _make_folders(configuration.paths, core.user, options.state, options.prefix, log)
    _default_log(configuration, options)
    try:
        configuration.files.open()
    except OSError as error:
        log.emerg(f'open() "{error.filename}" failed', errno=error.errno or 0)
        configuration.files.close()
        raise CycleError from None
    try:
        configuration.share(None if old is None else old.configuration)
        opened = sockets.open_all(configuration.listens, old_sockets, core.worker_processes, log, testing=testing)
    except ConfigError as error:
        _complain(error, log)
        configuration.files.close()
        raise CycleError from error
    except CycleError:
        configuration.files.close()
        raise
    cycle = Cycle(options, configuration, configuration.log, opened, 1 if old is None else old.generation + 1)
    if testing:
        return cycle
    sockets.configure(opened, log)
    if not console.enabled:
        redirect_stderr(cycle)
    sockets.close_unused(old_sockets, opened, cycle.log)
    for listener in opened:
        listener.fresh = False
    if old is not None:
        old.configuration.files.close()
    return cycle


def _make_folders(paths: Sequence[TempPath], user: int | None, state: str, prefix: str, log: Log) -> None:
    """Temp folders, given to the workers' user (ngx_create_paths)."""
    if state and any(path.name.startswith(os.fsencode(state)) for path in paths):
        try:
            os.makedirs(state, exist_ok=True)
        except OSError as error:
            log.emerg(f'mkdir() "{state}" failed', errno=error.errno or 0)
            log.emerg(_elsewhere(state, paths, state))
            raise CycleError(f'mkdir() "{state}" failed ({error.errno}: {error.strerror})') from None
    for path in paths:
        try:
            path.prepare(user)
        except FileError as error:
            log.emerg(error.message, errno=error.errno)
            log.emerg(_elsewhere(os.fsdecode(path.name), paths, state or prefix))
            raise CycleError(str(error)) from None


def _elsewhere(failed: str, paths: Sequence[TempPath], state: str) -> str:
    """What to write where folders for temporary files cannot be made: often a container's disk that is read-only."""
    missing = [name for path in paths if (name := _directive(os.fsdecode(path.name), state)) is not None]
    if not missing or (failed != state and _directive(failed, state) is None):
        return f"cause: {failed} is to be a folder that this account may make and write to: make it so, or name another"
    lines = " ".join(f"{name} /tmp/gateway;" for name in missing)
    return (
        f"cause: folders for temporary files are made in {state} at the start where the configuration names none: "
        f"write in http {lines} or mount a folder at {state} that this account may write to"
    )


def _directive(folder: str, state: str) -> str | None:
    """Which directive names a folder that has its default; None for any other one."""
    kind = folder.removeprefix(state).removesuffix("_temp")
    kind = "client_body" if kind == "body" else kind  # Debian's name
    return f"{kind}_temp_path" if kind in _TEMPORARY and folder.startswith(state) else None


def _default_log(configuration: Configuration, options: Options) -> None:
    """Without an error_log that is a file, errors go where -e says (ngx_log_open_default)."""
    if configuration.log.first_file() is None:
        configuration.log.add(FileSink(configuration.files.add(options.error_log), ERROR))


def redirect_stderr(cycle: Cycle) -> None:
    """What anything writes to stderr goes to the first log file, unless a log is stderr itself."""
    if cycle.configuration.uses_stderr:
        return
    file = cycle.log.first_file()
    if file is not None and file.fd > STDERR:
        os.dup2(file.fd, STDERR)


def test(options: Options, load: Load, log: Log) -> int:
    """-t and -T: the exit code, after nginx's words."""
    try:
        configuration = load_configuration(options, load, log)
        if not options.quiet:
            say(f"the configuration file {options.conf_file} syntax is ok")
        initial(options, configuration, (), log)
    except CycleError:
        say(f"configuration file {options.conf_file} test failed")
        return 1
    if not options.quiet:
        say(f"configuration file {options.conf_file} test is successful")
    if options.dump:
        sys.stdout.buffer.write(configuration.dump())
    return 0
