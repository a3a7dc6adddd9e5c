"""log: the access log; `access_log`, `log_format`, `open_log_file_cache`.

Unlike nginx, a configuration without any access_log logs nothing when its prefix has no folder `logs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from gateway._fast.log_line import ESCAPES, LineFormat
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, HTTP, LIF, LIMIT_EXCEPT, Command, Directive, at_least, take
from gateway.config.errors import Where
from gateway.config.text import to_bytes
from gateway.core import syslog
from gateway.core.access_log import FileLog, LogWriter, PathLog, SyslogLog
from gateway.core.files import FileError, FileOptions, PlainFiles
from gateway.core.logs import LOG
from gateway.core.open_file_cache import OpenFileCache
from gateway.core.open_files import FILES, OpenFile
from gateway.core.template import Template
from gateway.core.variables import Registry, Variable
from gateway.http import paths
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase
from gateway.http.part import Part
from gateway.http.setters import Predicate, cycle_of, template
from gateway.modules.http import file_access

if TYPE_CHECKING:

    from gateway.config.loader import Loader, Scope
    from gateway.http.locations import Location
    from gateway.http.request import Request

_COMBINED: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_GZIP_BUFFER: Final = 64 * 1024


class Format:
    """A log_format: its text and variables, and how their values are escaped."""

    __slots__ = ("_line", "escape", "name", "parts")

    def __init__(self, name: str, parts: list[bytes | Variable], escape: str) -> None:
        self.name = name
        self.parts = parts
        self.escape = escape
        self._line: LineFormat | None = None

    @property
    def line(self) -> LineFormat:
        """The compiled form, made when all variables have their definitions."""
        if self._line is None:
            parts = [part.get if isinstance(part, Variable) else part for part in self.parts]
            self._line = LineFormat(parts, ESCAPES[self.escape])
        return self._line


@dataclass(slots=True)
class Access:
    """One access_log: exactly one of `writer` and `path` says where to."""

    writer: LogWriter | None
    path: Template | None
    format: Format
    condition: Predicate | None = None


@dataclass(slots=True)
class MainConf(Conf):
    formats: list[Format] = setting(factory=list)
    files: dict[OpenFile, FileLog] = setting(factory=dict)  # OpenFile -> FileLog


@dataclass(slots=True)
class LocationConf(Conf):
    logs: list[Access] | None = setting(None)  # None: the default log; [] for none
    off: bool = setting(False)
    cache: tuple[int, float, float, int] | None = setting(None)  # (max, inactive, valid, min_uses)
    opener: Any = None

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        if self.logs is not UNSET:
            self.off = self.off is True
        elif self.off is True:
            self.logs = []
        Conf.merge(self, outer, nameless)
        if self.cache is None:
            self.opener = PlainFiles()
        elif outer is not None and outer.cache is self.cache:
            self.opener = outer.opener
        else:
            maximum, inactive, _, _ = self.cache
            self.opener = OpenFileCache(maximum, inactive)


def set_access_log(conf: LocationConf, command: Command, owner: Any = None) -> None:
    """access_log path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off.

    `owner`: the module that has the MainConf, if it is another one.
    """
    args = command.args
    if args[0] == "off":
        if len(args) > 1:
            command.fail(f'invalid parameter "{args[1]}"')
        conf.off = True
        return
    main = command.scope.conf(owner or module, "main")
    writer: LogWriter | None = None
    path: Template | None = None
    if args[0].startswith("syslog:"):
        try:
            writer = SyslogLog(syslog.parse(args[0][7:], command.loader.parts.get(LOG)))
        except ValueError as error:
            command.fail(str(error))
    elif "$" in args[0]:
        path = template(command, command.loader.path(args[0]))
    else:
        files = command.loader.parts.get(FILES)
        writer = _file_log(main, files.add(command.loader.path(args[0])))
    access = Access(writer, path, _format(main, args[1] if len(args) > 1 else "combined", command))
    _set_parameters(access, command)
    if conf.logs is UNSET or conf.logs is None:
        conf.logs = []
    conf.logs.append(access)


def _file_log(main: MainConf, file: OpenFile) -> FileLog:
    if main.files is UNSET:
        main.files = {}
    log: FileLog | None = main.files.get(file)
    if log is None:
        log = main.files[file] = FileLog(file)
    return log


def _format(main: MainConf, name: str, command: Command) -> Format:
    if main.formats is not UNSET:
        for known in main.formats:
            if known.name.lower() == name.lower():
                return known
    if name.lower() != "combined":
        command.fail(f'unknown log format "{name}"')
    return _combined(main, cycle_of(command).variables)


def _combined(main: MainConf, registry: Registry) -> Format:
    if main.formats is UNSET:
        main.formats = []
    for known in main.formats:
        if known.name == "combined":
            return known
    made = Format("combined", parse_format(_COMBINED, registry), "default")
    main.formats.insert(0, made)
    return made


def _set_parameters(access: Access, command: Command) -> None:
    size, flush_ms, level = 0, 0, 0
    for word in command.args[2:]:
        name, equals, value = word.partition("=")
        if name == "buffer" and equals:
            size = _positive(units.parse_size, value, "invalid buffer size", command)
        elif name == "flush" and equals:
            flush_ms = _positive(units.parse_time_ms, value, "invalid flush time", command)
        elif name == "gzip":
            size = size or _GZIP_BUFFER
            level = 1
            if equals:
                if value not in ("1", "2", "3", "4", "5", "6", "7", "8", "9"):
                    command.fail(f'invalid compression level "{value}"')
                level = int(value)
        elif name == "if" and equals:
            access.condition = Predicate([template(command, value)])
        else:
            command.fail(f'invalid parameter "{word}"')
    if flush_ms and not size:
        command.fail(f'no buffer is defined for access_log "{command.args[0]}"')
    if not size:
        return
    if access.path is not None:
        command.fail("buffered logs cannot have variables in name")
    if not isinstance(access.writer, FileLog):
        command.fail("logs to syslog cannot be buffered")
    if not access.writer.buffer(size, flush_ms / 1000, level):
        command.fail(f'access_log "{command.args[0]}" already defined with conflicting parameters')


def _positive(parse: Callable[[str], int], value: str, message: str, command: Command) -> int:
    try:
        number = parse(value)
    except ValueError:
        number = 0
    if not number:
        command.fail(f'{message} "{value}"')
    return number


def set_log_format(conf: MainConf, command: Command) -> None:
    """log_format name [escape=default|json|none] string …."""
    name, *words = command.args
    if name == "combined" or (conf.formats is not UNSET and any(known.name == name for known in conf.formats)):
        command.fail(f'duplicate "log_format" name "{name}"')
    escape = "default"
    if words and words[0].startswith("escape="):
        escape = words.pop(0)[7:]
        if escape not in ESCAPES:
            command.fail(f'unknown log format escaping "{escape}"')
    parts: list[bytes | Variable] = []
    for word in words:
        try:
            parts += parse_format(word, cycle_of(command).variables, command.where)
        except ValueError as error:
            command.fail(str(error))
    if conf.formats is UNSET:
        conf.formats = []
    conf.formats.append(Format(name, parts, escape))


def parse_format(text: str, registry: Registry, where: Where | None = None) -> list[bytes | Variable]:
    """Split a format at its variables; ValueError has nginx's message. Here $1 is a variable's name like any other."""
    parts: list[bytes | Variable] = []
    at = 0
    while at < len(text):
        start = at
        if text[at] != "$":
            at = text.find("$", at)
            at = len(text) if at < 0 else at
            parts.append(to_bytes(text[start:at]))
            continue
        at += 1
        braced = text[at : at + 1] == "{"
        at += braced
        begin = at
        while at < len(text) and text[at] in _NAME:
            at += 1
        name = text[begin:at]
        if braced:
            if at == begin == len(text):
                raise ValueError(f'invalid parameter "{text[start:]}"')
            if text[at : at + 1] != "}":
                raise ValueError(f'the closing bracket in "{name}" variable is missing')
            at += 1
        if not name:
            raise ValueError(f'invalid parameter "{text[start:]}"')
        parts.append(registry.reference(name, where))
    return parts


def set_cache(conf: LocationConf, command: Command) -> None:
    """open_log_file_cache off | max=N [inactive=time] [min_uses=N] [valid=time]."""
    command.once(conf.cache)

    def wrong(word: str) -> NoReturn:
        command.fail(f'invalid "open_log_file_cache" parameter "{word}"')

    maximum, inactive, valid, min_uses = 0, 10, 60, 1
    for word in command.args:
        name, _, value = word.partition("=")
        try:
            if name == "max":
                maximum = units.parse_number(value)
            elif name == "inactive":
                inactive = units.parse_seconds(value)
            elif name == "min_uses":
                min_uses = units.parse_number(value)
            elif name == "valid":
                valid = units.parse_seconds(value)
            elif word == "off":
                conf.cache = None
            else:
                wrong(word)
        except ValueError:
            wrong(word)
    if conf.cache is None:
        return
    if not maximum:
        command.fail('"open_log_file_cache" must have "max" parameter')
    conf.cache = (maximum, inactive, valid, min_uses)


def settle(scope: Scope, loader: Loader) -> None:
    """Where nothing else is said, all requests are logged in logs/access.log."""
    blocks = [scope.confs.get((module, "location"))]
    if not _says(blocks[0]):
        blocks = [server.scope.confs.get((module, "location")) for server in scope.owner.servers]
    files = loader.parts.find(FILES)
    if all(map(_says, blocks)) or files is None or not os.path.isdir(loader.path("logs")):
        return
    main: MainConf = scope.conf(module, "main")
    writer = _file_log(main, files.add(loader.path("logs/access.log")))
    scope.conf(module, "location").logs = [Access(writer, None, _combined(main, scope.owner.variables))]


def _says(conf: Any) -> bool:
    """Whether a block has an access_log of its own."""
    return conf is not None and (conf.logs is not UNSET or conf.off is True)


def prepare(scope: Scope, loader: Loader) -> None:
    """Buffered logs get the lane's timers when a worker begins."""
    start_buffers(scope, scope.conf(module, "main"))


class MainReporter:
    """Complaints of the timers of buffered logs, in the main log."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker

    def log(self, level: str, message: str, error: OSError | None = None) -> None:
        self.worker.log(level, to_bytes(f"{message} ({error.errno}: {error.strerror})" if error else message))


def start_buffers(scope: Scope, main: MainConf) -> None:
    buffered = [log for log in main.files.values() if log.parameters is not None]

    def start(worker: Any) -> None:
        for log in buffered:
            log.start(worker.lane.call_later, MainReporter(worker))

    if buffered:
        scope.owner.on_worker_start.append(start)


class LogLine(Part):
    """One access_log to a file or to syslog."""

    def __init__(self, access: Access) -> None:
        assert access.writer is not None
        self.line = access.format.line
        self.condition = access.condition
        self.writer = access.writer
        self.file = access.writer if isinstance(access.writer, FileLog) else None

    def run(self, request: Request) -> None:
        if self.condition is not None and not self.condition(request):
            return
        line = self.line.make(request)
        if self.file is not None:
            self.file.write(line, request)
        else:
            self.writer.write(line, request)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.off or not settings.logs:
        return NOTHING
    return Contribution(handlers={Phase.LOG: [_handler(access, settings, location) for access in settings.logs]})


def _handler(access: Access, settings: LocationConf, location: Location) -> Callable[[Request], None]:
    if access.writer is not None:
        return LogLine(access)
    line, condition, path = access.format.line, access.condition, access.path
    assert path is not None
    _, _, valid, min_uses = settings.cache or (0, 0, 60, 1)
    symlinks = location.confs[file_access.module].options.symlinks
    log_files = PathLog(settings.opener, FileOptions(valid=valid, min_uses=min_uses, log=True, symlinks=symlinks))

    def log_by_path(request: Request) -> None:
        if (condition is None or condition(request)) and _root_exists(request):
            log_files.write_to(path(request), line(request), request)

    return log_by_path


def _root_exists(request: Request) -> bool:
    """A log file with variables in its name is made only for a request whose root exists."""
    root = paths.document_root(request)
    try:
        if file_access.test_file(request, root).is_dir:
            return True
        error = OSError(20, os.strerror(20))
    except FileError as failure:
        error = OSError(failure.errno, os.strerror(failure.errno))
    request.log("error", b'testing "%s" existence failed' % root, error)
    return False


module = HttpModule(
    name="log",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("log_format", HTTP, at_least(2), set_log_format, level="main"),
        Directive("access_log", EVERYWHERE | LIF | LIMIT_EXCEPT, at_least(1), set_access_log),
        Directive("open_log_file_cache", EVERYWHERE, take(1, 2, 3, 4), set_cache),
    ),
    settle=settle,
    prepare=prepare,
    plan=plan,
)
