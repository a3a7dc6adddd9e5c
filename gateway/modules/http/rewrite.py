"""rewrite: `rewrite`, `return`, `set`, `break` and `if`, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    HTTP,
    LIF,
    LOCATION,
    NOARGS,
    SERVER,
    SIF,
    Command,
    Directive,
    at_least,
    flag,
    take,
)
from gateway.config.loader import Scope
from gateway.core.files import OpenedFile
from gateway.core.variables import Getter
from gateway.http import script
from gateway.http.locations import Location
from gateway.http.module import NOTHING, Contribution, Handler, HttpModule, Phase
from gateway.http.script import Condition, Step
from gateway.http.setters import cycle_of, location_of, regex, template, variable_name
from gateway.modules.http.file_access import test_file
from gateway.modules.http.types import content_type_of

if TYPE_CHECKING:
    from gateway.http.request import Request

_ABSOLUTE: Final = ("http://", "https://", "$scheme")

_KINDS: Final[dict[str, Callable[[OpenedFile], bool]]] = {
    "f": lambda file: file.is_file,
    "d": lambda file: file.is_dir,
    "e": lambda file: True,
    "x": lambda file: file.is_exec,
}


@dataclass(slots=True)
class LocationConf(Conf):
    steps: list[Step] = setting(factory=list, inherit=False)
    log: bool = setting(False)
    warn: bool = setting(True)


def _add(conf: LocationConf, step: Step) -> None:
    if conf.steps is UNSET:
        conf.steps = []
    conf.steps.append(step)


# -- setters -----------------------------------------------------------------------------------------------------


def set_rewrite(conf: LocationConf, command: Command) -> None:
    pattern, replacement, *flags = command.args
    if not replacement:
        command.fail("empty replacement")
    compiled = regex(command, pattern)
    status = 302 if replacement.startswith(_ABSOLUTE) else 0
    last = stay = False
    if flags:
        if flags[0] not in ("last", "break", "redirect", "permanent"):
            command.fail(f'invalid parameter "{flags[0]}"')
        last = True
        stay = flags[0] == "break"
        status = {"redirect": 302, "permanent": 301}.get(flags[0], status)
    registry = cycle_of(command).variables
    _add(
        conf,
        script.compile_rewrite(compiled, replacement, registry, command.where, status=status, last=last, stay=stay),
    )


def set_return(conf: LocationConf, command: Command) -> None:
    """return code [text | URL]; or return URL."""
    code, *rest = command.args
    if code.isascii() and code.isdigit() and int(code) <= 999:
        status = int(code)
        text = rest[0] if rest else None
    elif not rest and code.startswith(_ABSOLUTE):
        status, text = 302, code
    else:
        command.fail(f'invalid return code "{code}"')
    # an empty text is none: "return 404 '';" answers with the error page
    value = template(command, text) if text else None
    _add(conf, script.Return(status, value, content_type_of))


def set_break(conf: LocationConf, command: Command) -> None:
    _add(conf, lambda log: script.stop)


def set_set(conf: LocationConf, command: Command) -> None:
    name = variable_name(command, command.args[0])
    registry = cycle_of(command).variables
    variable = registry.assign(name, _uninitialized(name.lower()), command.where)
    value = script.compile_value(command.args[1], registry, command.where)
    _add(conf, lambda log: script.set_variable(variable.name, variable.set, value))


def _uninitialized(name: str) -> Getter:
    """A variable of `set` before its `set` was reached: empty, and a warning the first time."""
    line = b'using uninitialized "%s" variable' % name.encode("utf-8", "surrogateescape")

    def get(request: Request) -> bytes:
        if request.location.confs[module].warn:
            request.log("warn", line)
        request.values[name] = b""
        return b""

    return get


def set_if(conf: LocationConf, command: Command) -> None:
    """A nameless location, and a branch of the script that its block stands in."""
    outer = location_of(command)
    in_server = command.scope.context == SERVER
    condition = _condition(command)
    scope = Scope(SIF if in_server else LIF, command.scope, level="location")
    location = Location(outer.name, outer.server, scope, outer)
    scope.owner = location
    location.nameless = True
    location.regex = outer.regex
    location.exact, location.no_regex, location.named = outer.exact, outer.no_regex, outer.named
    outer.children.append(location)
    inner: LocationConf = scope.conf(module, "location")
    command.loader.walk(command.block, scope)
    steps: list[Step] = inner.steps or []
    inner.steps = []  # they belong to the script around them

    _add(conf, script.Branch(condition, steps, None if in_server else location))


def _condition(command: Command) -> Callable[[bool], Condition]:
    """The words between the parentheses, which may stand alone or touch the first and the last word."""
    words = list(command.args)
    if not words[0].startswith("("):
        command.fail(f'invalid condition "{words[0]}"')
    first = 0
    if len(words[0]) == 1:
        first = 1
    else:
        words[0] = words[0][1:]
    last = len(words) - 1
    if not words[last].endswith(")"):
        command.fail(f'invalid condition "{words[last]}"')
    if len(words[last]) == 1:
        last -= 1
    else:
        words[last] = words[last][:-1]
    word = words[first]
    registry = cycle_of(command).variables
    if len(word) > 1 and word.startswith("$"):
        if last not in (first, first + 2):
            command.fail(f'invalid condition "{word}"')
        variable = registry.reference(word[1:], command.where)
        if last == first:
            return lambda log: script.is_true(variable)
        return _comparison(command, variable, words[first + 1], words[last])
    negated = word.startswith("!")
    test = word[1:] if negated else word
    if len(test) != 2 or test[0] != "-" or first + 1 != last:
        command.fail(f'invalid condition "{word}"')
    path = script.compile_value(words[last], registry, command.where)
    kind = _KINDS.get(test[1])
    if kind is None:
        command.fail(f'invalid condition "{word}"')
    return lambda log: script.is_file(path, kind, negated, test_file)


def _comparison(command: Command, variable: Getter, operator: str, text: str) -> Callable[[bool], Condition]:
    negated = operator.startswith("!")
    if operator in ("=", "!="):
        value = script.compile_value(text, cycle_of(command).variables, command.where)
        return lambda log: script.is_equal(variable, value, negated)
    if operator in ("~", "~*", "!~", "!~*"):
        compiled = regex(command, text, caseless=operator.endswith("*"))
        return lambda log: script.matches(variable, compiled, negated, log)
    command.fail(f'unexpected "{operator}" in condition')


# -- handlers ----------------------------------------------------------------------------------------------------


def server_plan(conf: LocationConf, location: Location) -> Handler | None:
    return script.compile_script(conf.steps, conf.log) if conf.steps else None


def plan(conf: LocationConf, location: Location) -> Contribution:
    # A server's own script ran before the choice of a location; it does not run again where none was found.
    if not conf.steps or location.nameless or location is location.server.root:
        return NOTHING
    return Contribution(handlers={Phase.REWRITE: script.compile_script(conf.steps, conf.log)})


_WHERE: Final = SERVER | SIF | LOCATION | LIF

module = HttpModule(
    name="rewrite",
    location=LocationConf,
    directives=(
        Directive("rewrite", _WHERE, take(2, 3), set_rewrite),
        Directive("return", _WHERE, take(1, 2), set_return),
        Directive("break", _WHERE, NOARGS, set_break),
        Directive("if", SERVER | LOCATION, at_least(1), set_if, block=True),
        Directive("set", _WHERE, take(2), set_set),
        Directive("rewrite_log", HTTP | _WHERE, FLAG, flag("log")),
        Directive("uninitialized_variable_warn", HTTP | _WHERE, FLAG, flag("warn")),
    ),
    plan=plan,
    server_plan=server_plan,
)
