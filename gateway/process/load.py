"""Reading nginx.conf into what the processes run."""

from __future__ import annotations

import functools
import importlib
import resource
from collections.abc import Sequence
from typing import Any

from gateway.config import parser
from gateway.config.directive import MAIN
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.core.counters import Counters
from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import Log
from gateway.core.open_files import OpenFiles
from gateway.core.temp_files import TempPath
from gateway.core.zones import ZoneError, Zones
from gateway.modules import MODULES, core
from gateway.modules.core import CoreConf
from gateway.process.configuration import Serving
from gateway.process.options import Options


class Loaded:
    """A configuration in force: see gateway.process.configuration.Configuration."""

    def __init__(self, options: Options, source: parser.Source) -> None:
        self.log = Log()
        self.files = OpenFiles()
        self.paths: list[TempPath] = []
        self.zones = Zones()
        self.counters = _the_counters()
        self.source = source
        loader = Loader(MODULES, prefix=options.prefix, conf_prefix=options.conf_prefix, testing=options.test)
        self._results = loader.results
        loader.results.update(
            log=self.log,
            files=self.files,
            paths=self.paths,
            zones=self.zones,
            counters=self.counters,
            uses_stderr=False,
        )
        self.warnings = loader.warnings
        self._loader = loader
        self._options = options
        self.core: CoreConf

    def read(self) -> None:
        """Run all directives; ConfigError at the first that is wrong."""
        scope = Scope(MAIN)
        loader = self._loader
        loader.walk(self.source.statements, scope)
        if self.source.error is not None:
            raise self.source.error
        self.core = scope.conf(core.module, "main")
        self.core.transparent = self._results.get("transparent", False)
        core.finish(self.core, default_pid=self._options.default_pid, path=loader.path, warn=loader.warn)
        if "events" not in self._results:
            raise ConfigError('no "events" section in configuration')
        connections = self._results["events"].worker_connections
        limit = self.core.worker_rlimit_nofile or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if connections > limit:
            loader.warn(f"{connections} worker_connections exceed open file resource limit: {limit}")
        if connections < len(self.listens) + 1:
            raise ConfigError(
                f"{connections} worker_connections are not enough for {len(self.listens)} listening sockets"
            )

    def gather(self) -> list[ConfigError]:
        """All mistakes that can be told apart, of the reading and of the directives; none is made use of."""
        mistakes = self._loader.mistakes = list(self.source.mistakes or ())
        if self.source.error is not None:
            mistakes.append(self.source.error)
        try:
            self._loader.walk(self.source.statements, Scope(MAIN))
        except ConfigError:
            pass  # Gathered
        except Exception as bug:  # a setter met what another one should have made
            mistakes.append(ConfigError(f"the configuration was not read further ({type(bug).__name__}: {bug})"))
        return mistakes

    @property
    def uses_stderr(self) -> bool:
        uses: bool = self._results["uses_stderr"]
        return uses

    @property
    def active(self) -> int:
        return self.counters.read().active

    @property
    def http(self) -> Any:
        """The http block's HttpCycle; None where there is no http block."""
        return self._results.get("http")

    @property
    def _cycles(self) -> list[Any]:
        """The HttpCycle and the StreamCycle, as far as there are such blocks."""
        return [self._results[name] for name in ("http", "stream") if self._results.get(name) is not None]

    @property
    def listens(self) -> Sequence[ListenAddress]:
        return tuple(address for cycle in self._cycles for address in cycle.listens)

    def dump(self) -> bytes:
        return self.source.dump()

    def share(self, old: Any) -> None:
        """Map the zones; an equal one of the old configuration goes on with its memory."""
        try:
            self.zones.map(None if old is None else old.zones)
        except ZoneError as error:
            raise ConfigError(str(error)) from None
        except OSError as error:
            raise ConfigError(f"mmap() failed ({error.errno}: {error.strerror})") from None

    def reopen(self, user: int | None) -> None:
        """USR1: all log files anew, those of variable names too."""
        self.files.reopen(user, self.log.emerg)
        for cycle in self._cycles:
            for callback in cycle.on_reopen:
                callback()

    def preload(self) -> None:
        for name in sorted(self._results.get("late_imports", ())):
            importlib.import_module(name)

    def buried(self, pid: int, respawn: bool) -> None:
        """A worker is dead: what it counted as its own is nobody's now."""
        self.counters.release(pid)
        for cycle in self._cycles:
            for callback in cycle.on_worker_death:
                callback(pid)
        if respawn:
            self.counters.respawns.add(0, 1)

    def lane(self) -> Any:
        from gateway.core.lane import Lane

        return Lane()

    def serve(self, worker: int, lane: Any, nursery: Any, listeners: Sequence[Listener]) -> Serving:
        from gateway.serving.worker import Worker

        connections = self._results["events"].worker_connections
        serving = Worker(self._cycles, lane, self.log, worker, connections, int(self.core.master_process))
        serving.nursery = nursery
        serving.counters = self.counters.claim(number=worker)
        serving.start(listeners)
        return serving


@functools.cache
def _the_counters() -> Counters:
    """One set for the life of this process: a reload goes on counting."""
    return Counters()


def _further(options: Options, first: ConfigError) -> list[ConfigError]:
    """What else is wrong, found by a second reading that goes on after errors; nginx itself ends at the first."""
    source = parser.load(options.conf_file, globals_text=options.globals_text, mend=True)
    loaded = Loaded(options, source)
    found = loaded.gather()
    files = [name for name, _ in source.files]
    seen = {str(first)}
    unbalanced = any(_unbalances(error) for error in found)
    further: list[ConfigError] = []
    for error in sorted(found, key=lambda error: _place(error, files)):
        if _follows(error, unbalanced):
            continue
        if str(error) not in seen:
            seen.add(str(error))
            error.source = source
            further.append(error)
    return further


def _unbalances(error: ConfigError) -> bool:
    """Whether there is a brace too many or too few; a semicolon left out before one is another mistake."""
    if error.message == 'unexpected "}"':
        return not any(note.text.startswith('";"') for note in error.notes)
    return error.message.startswith("unexpected end of file")


def _follows(error: ConfigError, unbalanced: bool) -> bool:
    """Whether an error may only be the consequence of another one."""
    if error.message.endswith("directive is not allowed here"):
        return unbalanced  # where a brace is missing, all that follows stands in the wrong block
    # What a broken line was to define is not unknown, but not there yet.
    return error.message.startswith("unknown ") and not error.message.startswith("unknown directive")


def _place(error: ConfigError, files: list[str]) -> tuple[int, int, int]:
    where = error.where
    if where is None or where.file not in files:
        return len(files), 0, 0
    return files.index(where.file), where.line, where.column


def load(options: Options, log: Log) -> Loaded:
    """Read the configuration that the options name; ConfigError when nginx would not start with it."""
    loaded = Loaded(options, parser.load(options.conf_file, globals_text=options.globals_text))
    try:
        loaded.read()
    except ConfigError as error:
        error.source = loaded.source
        error.further = _further(options, error)
        raise
    finally:
        for warning in loaded.warnings:
            log.warn(str(warning))
    return loaded
