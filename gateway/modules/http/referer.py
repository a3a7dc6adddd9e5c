"""referer: whether a request comes from a page that may link here; `valid_referers`, `$invalid_referer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import LOCATION, SERVER, Command, Directive, at_least
from gateway.config.errors import ConfigError, LateError
from gateway.config.text import to_bytes
from gateway.core.names import NameConflict, NameTable
from gateway.core.regex import MatchError, Regex, RegexError
from gateway.core.variables import Variable, cached
from gateway.http.module import HttpModule
from gateway.http.setters import locations_of

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.request import Request
    from gateway.http.servers import Server

_SHORTEST: Final = len(b"http://i.ru")
_SCHEMES: Final = (b"http://", b"https://")
_LONGEST_NAME: Final = 256


class Referers:
    """What the `valid_referers` of one block allow."""

    def __init__(self) -> None:
        self.names = NameTable()  # with the beginning that the path must have, b"" for any
        self.patterns: list[Regex] | None = None  # on all behind the scheme
        self.server_patterns: list[Regex] | None = None  # on the name
        self.none = False
        self.blocked = False
        self.server_names = False

    @property
    def empty(self) -> bool:
        return not self.names.exact and not self.names.has_wildcards

    def add(self, name: bytes, path: bytes) -> None:
        """Errors: ValueError with nginx's message."""
        try:
            self.names.add(name, path)
        except NameConflict:
            raise ValueError(f'conflicting parameter "{name.decode("utf-8", "surrogateescape")}"') from None
        except ValueError:
            raise ValueError(f'invalid hostname or wildcard "{name.decode("utf-8", "surrogateescape")}"') from None

    def add_server_names(self, server: Server) -> None:
        for name in server.names:
            if name.regex is None:
                self.add(name.name, b"")
            else:
                self.server_patterns = [*(self.server_patterns or ()), name.regex]

    def allow(self, request: Request, referer: bytes | None) -> bool:
        if self.empty and not self.patterns and not self.server_patterns:
            return True
        if referer is None:
            return self.none
        start = referer[:8].lower()
        scheme = next((scheme for scheme in _SCHEMES if start.startswith(scheme)), None)
        if scheme is None or len(referer) < _SHORTEST:
            return self.blocked
        rest = referer[len(scheme) :]
        name = rest[: _end(rest)].lower()
        if len(name) > _LONGEST_NAME:
            return False
        path: bytes | None = self.names.find(name)
        if path is not None:
            slash = rest.find(b"/", len(name))
            return not path or (slash >= 0 and rest.startswith(path, slash))
        return _matches(request, self.server_patterns, name) or _matches(request, self.patterns, rest)


def _end(rest: bytes) -> int:
    """How long the name is: up to its port or path."""
    return min(at for at in (rest.find(b"/"), rest.find(b":"), len(rest)) if at >= 0)


def _matches(request: Request, patterns: list[Regex] | None, text: bytes) -> bool:
    for pattern in patterns or ():
        try:
            if pattern.search(text) is not None:
                return True
        except MatchError as error:
            request.log("alert", str(error))
    return False


@dataclass(slots=True)
class LocationConf(Conf):
    referers: Referers | None = setting(None)

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        own = self.referers is not UNSET
        Conf.merge(self, outer, nameless)
        if own and outer is not None and outer.referers is not None and self.referers is not None:
            # the names are this block's alone; patterns are the outer block's where it has none
            if self.referers.patterns is None:
                self.referers.patterns = outer.referers.patterns
            if self.referers.server_patterns is None:
                self.referers.server_patterns = outer.referers.server_patterns


def set_referers(conf: LocationConf, command: Command) -> None:
    """valid_referers none | blocked | server_names | name[/path] | ~pattern …"""
    if conf.referers is UNSET:
        conf.referers = Referers()
    referers = conf.referers
    assert referers is not None
    for word in command.args:
        if not word:
            command.fail(f'invalid referer "{word}"')
        elif word in ("none", "blocked", "server_names"):
            setattr(referers, word, True)
        elif word.startswith("~"):
            if len(word) == 1:
                command.fail(f'empty regex in "{word}"')
            try:
                pattern = Regex(word[1:], True)
            except RegexError as error:
                command.fail(str(error))
            referers.patterns = [*(referers.patterns or ()), pattern]
        else:
            name, slash, path = word.partition("/")
            try:
                referers.add(to_bytes(name), to_bytes(slash + path))
            except ValueError as error:
                command.fail(str(error))


def prepare(scope: Scope, loader: Loader) -> None:
    """The servers' names are known only now."""
    seen: set[int] = set()
    for location in locations_of(scope.owner):
        referers: Referers | None = location.confs[module].referers
        if referers is None or id(referers) in seen:
            continue
        seen.add(id(referers))
        if referers.server_names:
            try:
                referers.add_server_names(location.server)
            except ValueError as error:
                raise LateError(str(error), None) from None
        if (referers.none or referers.blocked) and referers.empty:
            raise ConfigError(
                'the "none" or "blocked" referers are specified in the "valid_referers" directive '
                "without any valid referer",
                None,
            )


def invalid_referer(request: Request) -> bytes | None:
    """$invalid_referer: "1", or empty where the request may come from there."""
    referers: Referers | None = request.location.confs[module].referers
    if referers is None or referers.allow(request, request.main.head.get(b"referer")):
        return b""
    return b"1"


module = HttpModule(
    name="referer",
    location=LocationConf,
    directives=(Directive("valid_referers", SERVER | LOCATION, at_least(1), set_referers),),
    variables=(Variable("invalid_referer", cached("invalid_referer", invalid_referer), changeable=True),),
    prepare=prepare,
)
