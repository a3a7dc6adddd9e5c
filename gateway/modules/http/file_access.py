"""file_access: how files are opened; `open_file_cache*`, `disable_symlinks`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.files import stat_path
from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Command, Directive, flag, number, store, take, time_s
from gateway.core.files import NOT_FOUND, FileError, FileOptions, PlainFiles, open_plain, stat_plain
from gateway.core.open_file_cache import OpenFileCache
from gateway.core.symlinks import Symlinks, trusted_part
from gateway.http.module import HttpModule
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway._fast.files import OpenedFile
    from gateway.core.template import Template
    from gateway.http.request import Request

_PLAIN: Final = PlainFiles()


@dataclass(slots=True)
class LocationConf(Conf):
    cache: tuple[int, float] | None = setting(None)  # (max, inactive) or None
    valid: float = setting(60.0)
    min_uses: int = setting(1)
    errors: bool = setting(False)
    symlinks: tuple[Symlinks, Template | None] = setting((Symlinks.OFF, None))
    opener: Any = None
    plain: bool = False  # neither a cache nor a look at symbolic links
    options: Any = None
    symlinks_from: Any = None

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        Conf.merge(self, outer, nameless)
        mode, self.symlinks_from = self.symlinks
        self.options = FileOptions(valid=self.valid, min_uses=self.min_uses, errors=self.errors, symlinks=mode)
        self.plain = self.cache is None and mode is Symlinks.OFF
        if self.cache is None:
            self.opener = _PLAIN
        elif outer is not None and outer.cache is self.cache:
            self.opener = outer.opener
        else:
            self.opener = OpenFileCache(*self.cache)


def set_cache(conf: LocationConf, command: Command) -> None:
    """open_file_cache off | max=N [inactive=time]."""
    maximum, inactive, off = 0, 60.0, False
    for word in command.args:
        name, _, value = word.partition("=")
        if name == "max" and value.isdigit() and int(value):
            maximum = int(value)
        elif name == "inactive":
            try:
                inactive = units.parse_seconds(value)
            except ValueError:
                command.fail(f'invalid "open_file_cache" parameter "{word}"')
        elif word == "off":
            off = True  # whatever else is said
        else:
            command.fail(f'invalid "open_file_cache" parameter "{word}"')
    if not maximum and not off:
        command.fail('"open_file_cache" must have the "max" parameter')
    store(conf, "cache", None if off else (maximum, inactive), command)


def set_symlinks(conf: LocationConf, command: Command) -> None:
    """disable_symlinks off | on | if_not_owner [from=part]."""
    words = {"off": Symlinks.OFF, "on": Symlinks.ON, "if_not_owner": Symlinks.IF_NOT_OWNER}
    mode, trusted = None, None
    for word in command.args:
        if word in words:
            mode = words[word]
        elif word.startswith("from="):
            trusted = template(command, word[5:])
        else:
            command.fail(f'invalid parameter "{word}"')
    if mode is None:
        command.fail('"disable_symlinks" must have "off", "on" or "if_not_owner" parameter')
    if mode is Symlinks.OFF and len(command.args) == 2:
        command.fail(f'"disable_symlinks off" has no parameters, "{command.args[1]}"')
    store(conf, "symlinks", (mode, trusted), command)


def _trusted(request: Request, settings: LocationConf, path: bytes) -> tuple[FileOptions, int]:
    """The options for this path, and how much of it disable_symlinks does not look at."""
    options: FileOptions = settings.options
    if settings.symlinks_from is None:
        return options, 0
    length = trusted_part(path, settings.symlinks_from(request))
    if length is None:
        return replace(options, symlinks=Symlinks.OFF), 0
    return options, length


def open_file(request: Request, path: bytes) -> OpenedFile:
    """Open a file by the present location's settings. Errors: FileError."""
    if request.location.core.plain_files:
        return open_plain(path)
    settings: LocationConf = request.location.confs[module]
    if b"\0" in path:
        raise FileError(2, "open()", path)
    return settings.opener.open(path, *_trusted(request, settings, path))  # type: ignore[no-any-return]


def find_file(request: Request, path: bytes) -> OpenedFile | None:
    """What is there; None for what would be a 404, which costs no exception. Errors: FileError."""
    if request.location.core.plain_files:
        found = stat_path(path)
        if type(found) is not int:
            return found  # type: ignore[return-value]
        if found in NOT_FOUND:
            return None
        raise FileError(found, "stat()", path)
    try:
        return test_file(request, path)
    except FileError as error:
        if error.errno in NOT_FOUND:
            return None
        raise


def test_file(request: Request, path: bytes) -> OpenedFile:
    """Look what is there, perhaps without opening it. Errors: FileError."""
    if request.location.core.plain_files:
        return stat_plain(path)
    settings: LocationConf = request.location.confs[module]
    if b"\0" in path:
        raise FileError(2, "stat()", path)
    return settings.opener.test(path, *_trusted(request, settings, path))  # type: ignore[no-any-return]


module = HttpModule(
    name="file_access",
    location=LocationConf,
    directives=(
        Directive("open_file_cache", EVERYWHERE, take(1, 2), set_cache),
        Directive("open_file_cache_valid", EVERYWHERE, take(1), time_s("valid")),
        Directive("open_file_cache_min_uses", EVERYWHERE, take(1), number("min_uses")),
        Directive("open_file_cache_errors", EVERYWHERE, FLAG, flag("errors")),
        Directive("disable_symlinks", EVERYWHERE, take(1, 2), set_symlinks),
    ),
)
