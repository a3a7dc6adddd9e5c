"""Setters of http directives whose values are evaluated for each request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET
from gateway.config.directive import HTTP, Command, Context, Setter
from gateway.config.parts import Part
from gateway.core.regex import Regex, RegexError
from gateway.core.temp_files import TempPath
from gateway.core.template import Template, compile_template

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location


def cycle_of(command: Command) -> HttpCycle:
    """The http block that this directive stands in, or the stream block, for setters that both have."""
    scope = command.scope.enclosing(HTTP) or command.scope.enclosing(Context.STREAM)
    assert scope is not None
    return scope.owner  # type: ignore[no-any-return]


def location_of(command: Command) -> Location:
    """The location (or a server's own) that this directive stands in."""
    owner = command.scope.owner
    return getattr(owner, "root", owner)  # type: ignore[no-any-return]


def answers(conf: Any, command: Command) -> None:
    """The content of this block is the directive's, until another one of that kind stands behind it."""
    location_of(command).content = conf


def locations_of(cycle: HttpCycle) -> Iterator[Location]:
    """All locations of all servers, a server's own and `if` blocks too, each before those inside it."""
    for server in cycle.servers:
        waiting = [server.root]
        while waiting:
            location = waiting.pop()
            yield location
            waiting += reversed(location.children)


def template(command: Command, text: str) -> Template:
    """Compile an argument of this directive."""
    return compile_template(text, cycle_of(command).variables, command.where)


def regex(command: Command, pattern: str, caseless: bool = False) -> Regex:
    """Compile a pattern of this directive; its named groups become variables."""
    try:
        compiled = Regex(pattern, caseless)
    except RegexError as error:
        command.fail(str(error))
    for group in compiled.named:
        cycle_of(command).variables.define(group, None, command.where)
    return compiled


def variable_name(command: Command, text: str) -> str:
    """The name in an argument that must be "$name"."""
    if not text.startswith("$") or len(text) == 1:
        command.fail(f'invalid variable name "{text}"')
    return text[1:]


def template_setting(field_name: str) -> Setter:
    """One argument with variables, kept as a Template; nginx's ngx_http_set_complex_value_slot."""

    def set_template(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        setattr(conf, field_name, template(command, command.args[0]))

    return set_template


def predicates(field_name: str) -> Setter:
    """Conditions of which one has to hold, see holds(); nginx's ngx_http_set_predicate_slot."""

    def add_predicates(conf: Any, command: Command) -> None:
        earlier = getattr(conf, field_name)
        earlier = () if earlier is UNSET else earlier
        setattr(conf, field_name, (*earlier, *(template(command, text) for text in command.args)))

    return add_predicates


def holds(conditions: Sequence[Template], request: Any) -> bool:
    """Whether one of the values is neither empty nor "0"."""
    return any(condition(request) not in (b"", b"0") for condition in conditions)


def temp_path(field_name: str) -> Setter:
    """A folder for temporary files and up to three levels; nginx's ngx_conf_set_path_slot."""

    def set_temp_path(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        name, *levels = command.args
        try:
            value = TempPath(command.loader.path(name), [int(level) for level in levels])
        except ValueError:
            command.refuse("invalid value")
        setattr(conf, field_name, value)
        to_be_made(command.loader, value)

    return set_temp_path


# Debian's nginx keeps temporary files there, under names of its own.
DEBIANS_STATE: Final = "/var/lib/nginx/"


def default_temp_path(scope: Scope, loader: Loader, module: Any, field_name: str, name: str) -> None:
    """Give the http block a folder for temporary files where the configuration names none."""
    conf = scope.conf(module, "location")
    if getattr(conf, field_name) is UNSET:
        value = default_folder(loader, name)
        setattr(conf, field_name, value)
        to_be_made(loader, value)


def default_folder(loader: Loader, name: str) -> TempPath:
    """Where temporary files are that the configuration does not say anything about."""
    if loader.state == DEBIANS_STATE:
        name = "body" if name == "client_body_temp" else name.removesuffix("_temp")
    return TempPath(loader.state + name)


PATHS: Part[list[TempPath]] = Part("folders of temporary files", list)


def to_be_made(loader: Loader, value: TempPath) -> None:
    """Have the master make the folder and give it to the workers' user (ngx_add_path)."""
    loader.parts.get(PATHS).append(value)


_SHIFTS: Final = {"user": 6, "group": 3, "all": 0}
_RIGHTS: Final = {"rw": 6, "r": 4}


def access_setting(field_name: str) -> Setter:
    """Permissions of files that are made, `user:rw group:r …`; nginx's ngx_conf_set_access_slot."""

    def set_access(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        access, owner = 0, 0o600
        for word in command.args:
            who, colon, right = word.partition(":")
            if not colon or who not in _SHIFTS or right not in _RIGHTS:
                command.fail(f'invalid value "{word}"')
            if who == "user":
                owner = 0
            access |= _RIGHTS[right] << _SHIFTS[who]
        setattr(conf, field_name, access | owner)

    return set_access


class Predicate:
    """Templates of which one that is neither empty nor "0" makes it true (proxy_no_cache, access_log's if=)."""

    __slots__ = ("templates",)

    def __init__(self, templates: list[Template]) -> None:
        self.templates = tuple(templates)

    def __call__(self, request: Any) -> bool:
        return any(value not in (b"", b"0") for value in (template(request) for template in self.templates))


class Number:
    """A size or a rate that may hold variables; called with a request it gives an int (0 for what is none)."""

    __slots__ = ("constant", "parse", "template")

    def __init__(self, template: Template, parse: Any) -> None:
        self.template = template
        self.parse = parse
        self.constant: int | None = None
        if template.constant is not None:
            self.constant = parse(template.constant.decode("latin-1"))

    def __call__(self, request: Any) -> int:
        constant = self.constant
        if constant is not None:
            return constant
        try:
            return self.parse(self.template(request).decode("latin-1"))  # type: ignore[no-any-return]
        except ValueError:
            return 0


def number_setting(field_name: str, parse: Any) -> Setter:
    """nginx's ngx_http_set_complex_value_size_slot."""

    def set_number(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        try:
            value = Number(template(command, command.args[0]), parse)
        except ValueError:
            command.refuse("invalid value")
        setattr(conf, field_name, value)

    return set_number
