"""Reading nginx.conf into what the processes run."""

from __future__ import annotations

import functools
import importlib
import resource
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from gateway.config import parser
from gateway.config.directive import MAIN
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.core.counters import COUNTERS, Counters
from gateway.core.event_log import the_events
from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import LOG, Log
from gateway.core.open_files import FILES
from gateway.core.zones import ZONES, ZoneError
from gateway.http.setters import PATHS
from gateway.modules import core
from gateway.modules.choice import chosen, everything
from gateway.modules.core import CoreConf
from gateway.modules.events import THE_EVENTS
from gateway.process.configuration import Serving
from gateway.process.options import Options
from gateway.serving.cycle import BLOCKS, CONF_FILE, LATE_IMPORTS, TRANSPARENT

if TYPE_CHECKING:
    from gateway.http.cycle import HttpCycle
    from gateway.serving.cycle import BlockCycle


class Loaded:
    """A configuration in force: see gateway.process.configuration.Configuration."""

    def __init__(self, options: Options, source: parser.Source, modules: Sequence[object]) -> None:
        self.counters = _the_counters()
        the_events()  # the workers share what is made before them
        self.source = source
        loader = Loader(modules, prefix=options.prefix, conf_prefix=options.conf_prefix, testing=options.test)
        loader.state = options.state or options.prefix
        self._parts = parts = loader.parts
        parts.put(COUNTERS, self.counters)
        parts.put(CONF_FILE, options.conf_file)
        self.log = parts.get(LOG)
        self.files = parts.get(FILES)
        self.paths = parts.get(PATHS)
        self.zones = parts.get(ZONES)
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
        self.core.transparent = self._parts.get(TRANSPARENT)
        core.finish(self.core, default_pid=self._options.default_pid, path=loader.path, warn=loader.warn)
        events = self._parts.find(THE_EVENTS)
        if events is None:
            raise ConfigError('no "events" section in configuration')
        connections = events.worker_connections
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
        return self.files.stderr

    @property
    def active(self) -> int:
        return self.counters.read().active

    @property
    def http(self) -> HttpCycle | None:
        """The http block's; None where there is no http block."""
        return cast("HttpCycle | None", self._parts.get(BLOCKS).get("http"))

    @property
    def _cycles(self) -> list[BlockCycle]:
        """Those of http, stream and mail, as far as there are such blocks."""
        return [cycle for _, cycle in sorted(self._parts.get(BLOCKS).items())]

    @property
    def listens(self) -> Sequence[ListenAddress]:
        return tuple(address for cycle in self._cycles for address in cycle.listens)

    def dump(self) -> bytes:
        return self.source.dump()

    def share(self, old: Any) -> None:
        """Map the zones; an equal one of the old configuration goes on with its memory."""
        try:
            self.zones.map(None if old is None else old.zones, self.core.worker_processes)
        except ZoneError as error:
            raise self._of_zones(str(error)) from None
        except OSError as error:
            raise self._of_zones(f"mmap() failed ({error.errno}: {error.strerror})") from None

    def check_zones(self) -> None:
        """What `share` would refuse of a zone that is named and made nowhere. Errors: ConfigError."""
        for zone in self.zones:
            if zone.size == 0:
                raise self._of_zones(f'zero size shared memory zone "{zone.name}"')

    def _of_zones(self, message: str) -> ConfigError:
        error = ConfigError(message)
        error.source = self.source
        return error

    def reopen(self, user: int | None) -> None:
        """USR1: all log files anew, those of variable names too."""
        self.files.reopen(user, self.log.emerg)
        for cycle in self._cycles:
            for callback in cycle.on_reopen:
                callback()

    def preload(self) -> None:
        names = self._parts.get(LATE_IMPORTS)
        for name in sorted(names):
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

        connections = self._parts.get(THE_EVENTS).worker_connections
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
    try:
        loaded = Loaded(options, source, everything(source))
    except ConfigError:  # a package's module; it is told already
        return []
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
    source = parser.load(options.conf_file, globals_text=options.globals_text)
    try:
        loaded = Loaded(options, source, chosen(source))
        loaded.read()
    except ConfigError:
        return _load_with_all(options, log)
    _warn(loaded, log)
    return loaded


def _load_with_all(options: Options, log: Log) -> Loaded:
    """With all modules: one may be missing that was not chosen, and what is wrong is for all of them to say."""
    source = parser.load(options.conf_file, globals_text=options.globals_text)
    try:
        modules = everything(source)
    except ConfigError as error:
        error.source = source
        raise
    loaded = Loaded(options, source, modules)
    try:
        loaded.read()
    except ConfigError as error:
        error.source = loaded.source
        error.further = _further(options, error)
        raise
    finally:
        _warn(loaded, log)
    return loaded


def _warn(loaded: Loaded, log: Log) -> None:
    for warning in loaded.warnings:
        log.warn(str(warning))
