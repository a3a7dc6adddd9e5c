"""types: Content-Type by the file's extension; `types`, `default_type`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.cut import rest
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, NOARGS, Command, Directive, string, take
from gateway.config.text import to_bytes, to_str
from gateway.http.module import HttpModule

if TYPE_CHECKING:
    from gateway.http.request import Request

_SLASH: Final = 0x2F
_DOT: Final = 0x2E
_A: Final = 0x41
_Z: Final = 0x5A

# nginx's own, where a configuration has no types at all
_DEFAULT: Final = {b"html": b"text/html", b"gif": b"image/gif", b"jpg": b"image/jpeg"}


@dataclass(slots=True)
class LocationConf(Conf):
    types: dict[bytes, bytes] = setting(factory=lambda: dict(_DEFAULT))
    default_type: str = setting("text/plain")
    default: bytes = b"text/plain"

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        Conf.merge(self, outer, nameless)
        self.default = to_bytes(self.default_type)


def set_types(conf: LocationConf, command: Command) -> None:
    if conf.types is UNSET:
        conf.types = {}
    for statement in command.lines():
        if statement.name == "include":
            continue
        media_type = to_bytes(statement.name)
        for extension in statement.args:
            key = to_bytes(extension.lower())
            if key in conf.types:
                command.loader.warn(
                    f'duplicate extension "{extension}", content type: "{statement.name}", '
                    f'previous content type: "{to_str(conf.types[key])}"',
                    statement.where,
                )
            conf.types[key] = media_type


def content_type_of(request: Request) -> bytes:
    """The type for the extension of the URI's last component, else default_type.

    The dots with which a name begins do not count, nor what the first two bytes say: `/.txt` has no extension to nginx,
    nor has `a.txt`, which try_files makes where an alias has captures. (It sees one in `/..txt` behind a rewrite; here
    there is none.)
    """
    core = request.location.core
    uri = request.uri
    at = len(uri)
    capital = False
    while at > 2:
        at -= 1
        byte = uri[at]
        if byte == _DOT:
            before = at - 1
            while before > 0 and uri[before] == _DOT:
                before -= 1
            if uri[before] == _SLASH:
                break
            extension = rest(uri, at + 1)
            found = core.types.get(extension.lower() if capital else extension)
            return core.default_type if found is None else found
        if byte == _SLASH:
            break
        if _A <= byte <= _Z:
            capital = True
    return core.default_type


module = HttpModule(
    name="types",
    location=LocationConf,
    directives=(
        Directive("types", EVERYWHERE, NOARGS, set_types, block=True),
        Directive("default_type", EVERYWHERE, take(1), string("default_type")),
    ),
)
