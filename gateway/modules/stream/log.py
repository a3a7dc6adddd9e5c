"""stream_log: the log of sessions; `access_log`, `log_format`, `open_log_file_cache`. A format has to be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.config.conf import UNSET
from gateway.config.directive import Command, Context, Directive, at_least, take
from gateway.core.access_log import PathLog
from gateway.core.files import FileOptions
from gateway.modules.http import log
from gateway.modules.http.log import Access, LocationConf, MainConf
from gateway.stream.module import NOTHING, Contribution, Phase, StreamModule

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.stream.servers import Server
    from gateway.stream.session import Session

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


def set_access_log(conf: LocationConf, command: Command) -> None:
    args = command.args
    if args[0] != "off":
        if len(args) == 1:
            command.fail("log format is not specified")
        main = command.scope.conf(module, "main")
        formats = main.formats if main.formats is not UNSET else []
        if all(known.name.lower() != args[1].lower() for known in formats):
            command.fail(f'unknown log format "{args[1]}"')
    log.set_access_log(conf, command, module)


def prepare(scope: Scope, loader: Loader) -> None:
    log.start_buffers(scope, scope.conf(module, "main"))


def plan(settings: LocationConf, server: Server) -> Contribution:
    accesses: list[Access] | None = settings.logs
    if settings.off or not accesses:
        return NOTHING
    _, _, valid, min_uses = settings.cache or (0, 0, 60, 1)
    log_files = PathLog(settings.opener, FileOptions(valid=valid, min_uses=min_uses, log=True))

    def write(session: Session) -> None:
        for access in accesses:
            if access.condition is not None and not access.condition(session):
                continue
            line = access.format.line(session)
            if access.writer is not None:
                access.writer.write(line, session)
            elif access.path is not None:
                log_files.write_to(access.path(session), line, session)

    return Contribution(handlers={Phase.LOG: write})


module = StreamModule(
    name="stream_log",
    main=MainConf,
    server=LocationConf,
    directives=(
        Directive("log_format", Context.STREAM, at_least(2), log.set_log_format, level="main"),
        Directive("access_log", _WHERE, at_least(1), set_access_log, level="server"),
        Directive("open_log_file_cache", _WHERE, take(1, 2, 3, 4), log.set_cache, level="server"),
    ),
    prepare=prepare,
    plan=plan,
)
