"""try_files: the first of several files that exists, else a fallback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway._fast.cut import joined
from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, SERVER, Command, Directive, at_least
from gateway.core.files import FileError
from gateway.core.template import Template
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.paths import document_root
from gateway.http.redirects import redirect
from gateway.http.setters import template
from gateway.modules.http.file_access import find_file

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    tries: Tries | None = setting(None, inherit=False)


@dataclass(frozen=True, slots=True)
class Tries:
    files: tuple[tuple[Template, bool], ...]  # with True for a directory
    status: int  # of `=code`, or 0
    fallback: Template | None


def set_try_files(conf: LocationConf, command: Command) -> None:
    command.once(conf.tries)
    *names, last = command.args
    files = []
    for name in names:
        directory = name.endswith("/")
        files.append((template(command, name[:-1] if directory else name), directory))
    if last.startswith("="):
        if not last[1:].isascii() or not last[1:].isdigit() or int(last[1:]) > 999:
            command.fail(f'invalid code "{last}"')
        conf.tries = Tries(tuple(files), int(last[1:]), None)
    else:
        conf.tries = Tries(tuple(files), 0, template(command, last))


def plan(settings: LocationConf, location: Location) -> Contribution:
    tries: Tries | None = settings.tries
    if tries is None or location.nameless:  # an `if` that holds loses them, and so does a limit_except
        return NOTHING

    return Contribution(handlers={Phase.PRECONTENT: TryFiles(tries, location)})


class TryFiles(Part):
    """The handler of one location."""

    def __init__(self, tries: Tries, location: Location) -> None:
        self.files = tries.files
        self.status = tries.status
        self.fallback = tries.fallback
        self.aliased_by_regex: bool = location.core.alias_length < 0

    def run(self, request: Request) -> Result:
        core = request.location.core
        for file, directory in self.files:
            template: Template = file
            name: bytes = template.value(request)
            if core.alias is None:
                path, uri = joined(document_root(request), name), name
            else:
                path, uri = place(request, name, template.constant is None)
            try:
                found = find_file(request, path)
            except FileError as error:
                request.log("crit", error.message, OSError(error.errno, ""))
                continue
            if found is None or found.is_dir != directory:
                continue
            request.uri = uri
            request.add_uri_to_alias = self.aliased_by_regex and not directory
            return None
        fallback = self.fallback
        if fallback is None:
            return self.status
        target: bytes = fallback.value(request)
        if fallback.constant is None:
            target = _below_alias(request, target)
        return redirect(request, target)


def place(request: Request, name: bytes, has_variables: bool) -> tuple[bytes, bytes]:
    """The path to try for a name, and the URI that the request gets if it is there.

    alias takes its location's part off the front of a name made of variables (`$uri`), not of a literal one.
    """
    core = request.location.core
    if core.alias is None:
        return joined(document_root(request), name), name
    base = document_root(request)
    length = core.alias_length
    if length < 0:
        return base + name, name
    if has_variables:
        name = _below_alias(request, name)
    return base + name, request.uri[:length] + name


def _below_alias(request: Request, name: bytes) -> bytes:
    """What is made of variables, without its location's part in front where the location has an alias."""
    core = request.location.core
    length = core.alias_length
    if core.alias is None or length < 0 or not name.startswith(request.uri[:length]):
        return name
    return name[length:]


module = HttpModule(
    name="try_files",
    location=LocationConf,
    directives=(Directive("try_files", SERVER | LOCATION, at_least(2), set_try_files),),
    plan=plan,
)
