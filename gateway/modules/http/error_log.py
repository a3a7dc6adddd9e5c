"""error_log: where errors go, in the main context and in http, server and location.

nginx has no `format=`: `format=json` writes one object a line, `format=id` nginx's line with the request's id behind
it. Lines stay nginx's by default, since programs (fail2ban's rules) read them to their end.
"""

from __future__ import annotations

from typing import Any

from gateway.config.conf import UNSET
from gateway.config.directive import HTTP, LOCATION, MAIN, SERVER, Command, Directive, at_least
from gateway.core import syslog
from gateway.core.log_forms import FORMS, NGINX
from gateway.core.logs import LOG, FileSink, Log, Sink, level_of
from gateway.core.open_files import FILES
from gateway.http.module import HttpModule
from gateway.modules.http import core as http_core


def sink(command: Command) -> Sink:
    """The destination that one error_log names; files are opened with the rest of the cycle."""
    name = command.args[0]
    parts = command.loader.parts
    made: Any
    if name == "stderr":
        made = FileSink(parts.get(FILES).add(""), 0)
    elif name.startswith("memory:"):
        command.fail("gateway has no memory: log, name a file, stderr or syslog:")
    elif name.startswith("syslog:"):
        try:
            made = syslog.SyslogSink(syslog.parse(name[7:], parts.get(LOG)), 0)
        except ValueError as error:
            command.fail(str(error))
    else:
        made = FileSink(parts.get(FILES).add(command.loader.path(name)), 0)
    words = [word for word in command.args[1:] if not word.startswith("format=")]
    forms = [word.partition("=")[2] for word in command.args[1:] if word.startswith("format=")]
    if any(form not in FORMS for form in forms):
        command.fail(f'invalid format "{forms[-1]}": nginx, id or json')
    made.form = FORMS[forms[-1]] if forms else NGINX
    try:
        made.level = level_of(words)
    except ValueError as error:
        command.fail(str(error))
    result: Sink = made
    return result


def set_main(conf: Any, command: Command) -> None:
    command.loader.parts.get(LOG).add(sink(command))


def set_inner(conf: Any, command: Command) -> None:
    """A block with an error_log of its own has only its own."""
    core = command.scope.conf(http_core.module, "location")
    if core.error_log is UNSET:
        core.error_log = Log()
    core.error_log.add(sink(command))


module = HttpModule(
    name="error_log",
    directives=(
        Directive("error_log", MAIN, at_least(1), set_main, level="none"),
        Directive("error_log", HTTP | SERVER | LOCATION, at_least(1), set_inner),
    ),
)
