"""charset: the charset of a Content-Type, and recoding by tables; ngx_http_charset_filter_module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.recode import FromUtf8, Points, ToUtf8, decode
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, HTTP, LIF, Command, Directive, at_least, flag, take
from gateway.config.errors import ConfigError
from gateway.config.text import to_bytes, to_str
from gateway.core.pieces import Inserted, Piece, loaded
from gateway.core.template import Template
from gateway.http.media_types import set_types
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.part import Part
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.config.parser import Statement
    from gateway.http.locations import Location
    from gateway.http.request import Request

_UTF8: Final = b"utf-8"

Recoder = Callable[[bytes], bytes]
# A charset is a name, or a variable that has the name.
Charset = bytes | Template


class Table:
    """One charset_map: `forward` from its first charset to the second, `backward` the other way round."""

    def __init__(self, first: bytes, second: bytes) -> None:
        self.first = first
        self.second = second
        self.utf8 = second.lower() == _UTF8
        ascii_ = [bytes([n]) if n < 128 else b"?" for n in range(256)]
        self.forward = list(ascii_)
        self.backward = list(ascii_)  # where neither is UTF-8
        self._to_utf8: ToUtf8 | None = None
        self.points = Points()  # where the second is
        for point in range(1, 128):
            self.points.add(point, point)

    def recoder(self, *, backward: bool) -> Recoder:
        """A recoder for one response."""
        if self.utf8 and backward:
            return FromUtf8(self.points)
        if self.utf8:
            if self._to_utf8 is None:
                self._to_utf8 = ToUtf8(self.forward)
            return self._to_utf8
        row = b"".join(self.backward if backward else self.forward)
        return lambda data: data.translate(row)


@dataclass(slots=True)
class MainConf(Conf):
    names: dict[bytes, bytes] = field(default_factory=dict)  # lower case: as it was first written
    tables: list[Table] = field(default_factory=list)

    def add(self, name: bytes) -> bytes:
        return self.names.setdefault(name.lower(), name)

    def find(self, name: bytes) -> bytes | None:
        return self.names.get(name.lower())

    def table(self, source: bytes, target: bytes) -> tuple[Table, bool] | None:
        """The table between two charsets, and whether it is used backward."""
        wanted = source.lower(), target.lower()
        for table in self.tables:
            pair = table.first.lower(), table.second.lower()
            if wanted in (pair, pair[::-1]):
                return table, wanted != pair
        return None


_DEFAULT_TYPES: Final = frozenset(
    {
        b"text/html",
        b"text/xml",
        b"text/plain",
        b"text/vnd.wap.wml",
        b"application/javascript",
        b"application/rss+xml",
    }
)


@dataclass(slots=True)
class LocationConf(Conf):
    charset: Any = setting(None)
    source: Any = setting(None)
    override: bool = setting(False)
    types: frozenset[bytes] = setting(_DEFAULT_TYPES)
    main: Any = None


def _set_charset(name: str) -> Any:
    def set_charset(conf: LocationConf, command: Command) -> None:
        command.once(getattr(conf, name))
        text = command.args[0]
        value: Charset | None
        if name == "charset" and text == "off":
            value = None
        elif text.startswith("$"):
            value = template(command, text)
        else:
            value = command.scope.conf(module, "main").add(to_bytes(text))
        setattr(conf, name, value)

    return set_charset


def set_map(conf: MainConf, command: Command) -> None:
    """charset_map charset1 charset2 { }"""
    first, second = command.args
    if first.lower() == second.lower():
        command.fail(f'"charset_map" between the same charsets "{first}" and "{second}"')
    if first.lower() == "utf-8":
        command.fail('"charset_map" with "utf-8" charset should be given in the second column')
    source, target = conf.add(to_bytes(first)), conf.add(to_bytes(second))
    if conf.table(source, target) is not None:
        command.fail(f'duplicate "charset_map" between "{first}" and "{second}"')
    table = Table(source, target)
    conf.tables.append(table)
    for statement in command.lines():
        _add_line(table, statement)


def _add_line(table: Table, statement: Statement) -> None:
    if len(statement.args) != 1:
        raise ConfigError("invalid parameters number", statement.where)
    key, value = statement.name, statement.args[0]
    source = _hexadecimal(key)
    if source is None or source > 255:
        raise ConfigError(f'invalid value "{key}"', statement.where)
    if not table.utf8:
        target = _hexadecimal(value)
        if target is None or target > 255:
            raise ConfigError(f'invalid value "{value}"', statement.where)
        table.forward[source] = bytes([target])
        table.backward[target] = bytes([source])
        return
    try:
        encoded = bytes.fromhex(value)
        point, _ = decode(encoded)
    except ValueError:
        point = -1
        encoded = b""
    if not 0 <= point <= 0xFFFF or len(encoded) > 4:
        raise ConfigError(f'invalid value "{value}"', statement.where)
    table.forward[source] = encoded
    table.points.add(point, source)


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16) if text.isalnum() else None
    except ValueError:
        return None


def prepare(scope: Scope, loader: Loader) -> None:
    """Each location knows the tables; a location that would recode without one is a mistake."""
    main = scope.conf(module, "main")
    for server in scope.owner.servers:
        waiting = [server.root]
        while waiting:
            location = waiting.pop()
            waiting += location.children
            settings: LocationConf | None = location.confs.get(module)
            if settings is None:
                continue
            settings.main = main
            source, target = settings.source, settings.charset
            if not isinstance(source, bytes) or not isinstance(target, bytes) or source.lower() == target.lower():
                continue
            if main.table(source, target) is None:
                raise ConfigError(
                    f'no "charset_map" between the charsets "{to_str(source)}" and "{to_str(target)}"'
                )


class Recode(BodyFilter):
    """The body filter."""

    __slots__ = ("recode",)

    def __init__(self, recode: Recoder) -> None:
        self.recode = recode

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        recode = self.recode
        out: list[Piece] = []
        for piece in loaded(pieces):
            if isinstance(piece, Inserted):
                out.append(piece.piece)
            elif data := recode(piece):
                out.append(data)
        return out


class SetCharset(Part):
    """The head filter of one location."""

    def __init__(self, settings: LocationConf, known: MainConf) -> None:
        self.known = known
        self.charset: bytes | None = None  # in answers; where it has a variable:
        self.charset_value: Template | None = None
        self.source: bytes | None = None
        self.source_value: Template | None = None
        if isinstance(settings.charset, Template):
            self.charset_value = settings.charset
        else:
            self.charset = settings.charset
        if isinstance(settings.source, Template):
            self.source_value = settings.source
        else:
            self.source = settings.source
        self.override: bool = settings.override
        self.types = settings.types
        self.all_types: bool = b"*" in settings.types
        self.type = b""  # the last one that was among them
        # neither a table nor a variable: an answer is named, or left as it is
        self.names: bool = self.charset is not None and self.source is None and self.source_value is None

    def run(self, request: Request) -> BodyFilter | None:
        response = request.response
        if self.names and request.parent is None and response.override_charset is None and not response.charset:
            if response.content_type and self._is_wanted(response.content_type):
                _set(request, self.charset)
            return None
        return self._recode(request)

    def _is_wanted(self, content_type: bytes) -> bool:
        if content_type == self.type or self.all_types:
            return True
        if content_type.lower() in self.types:
            self.type = content_type
            return True
        return False

    def _destination(self, request: Request) -> tuple[bytes, bytes | None] | None:
        """The charset to answer in, and its name as a directive has it, if one has; None to leave it."""
        response = request.response
        if not response.content_type:
            return None
        override = response.override_charset
        if override:
            found = self.known.find(override)
            if found is None:
                request.log("error", b'unknown charset "%s" to override' % override)
                return None
            return override, found
        if self.charset is None and self.charset_value is None:
            return None
        if response.charset:
            if not self.override:
                return None
        elif not self._is_wanted(response.content_type):
            return None
        target = self.charset if self.charset_value is None else self.charset_value(request)
        assert target is not None
        return target, self.known.find(target)

    def _recode(self, request: Request) -> BodyFilter | None:
        response = request.response
        known = self.known
        if request.parent is None:
            decided = self._destination(request)
            if decided is None:
                return None
            target, found = decided
        else:
            # what is put into the main response comes in its charset
            main_charset = request.main.response.charset
            if not main_charset:
                return None
            target, found = main_charset, known.find(main_charset)
        source = response.charset or (self.source if self.source_value is None else self.source_value(request))
        if source is None:
            _set(request, target)
            return None
        if source.lower() == target.lower():
            text = response.charset_text
            _set(request, target)
            if found is None:
                response.charset_text = text  # a charset that no directive names stays as it was written
            return None
        if found is not None and known.find(source) is not None and response.content_encoding:
            return None
        pair = known.table(source, target)
        if pair is None:
            request.log("error", b'no "charset_map" between the charsets "%s" and "%s"' % (source, target))
            return None
        _set(request, target)
        table, backward = pair
        if table.utf8:
            response.clear_content_length()
        return Recode(table.recoder(backward=backward))


def plan(settings: LocationConf, location: Location) -> Contribution:
    main: MainConf | None = settings.main
    if main is None or (settings.charset is None and not main.names):
        return NOTHING
    return Contribution(head_filter=SetCharset(settings, main))


def _set(request: Request, charset: bytes | None) -> None:
    response = request.response
    # old browsers took a redirect's charset for that of the next page
    response.charset = None if response.status in (301, 302) else charset
    response.charset_text = None


module = HttpModule(
    name="charset",
    main=MainConf,
    location=LocationConf,
    directives=(
        Directive("charset", EVERYWHERE | LIF, take(1), _set_charset("charset")),
        Directive("source_charset", EVERYWHERE | LIF, take(1), _set_charset("source")),
        Directive("override_charset", EVERYWHERE | LIF, FLAG, flag("override")),
        Directive("charset_types", EVERYWHERE, at_least(1), set_types),
        Directive("charset_map", HTTP, take(2), set_map, level="main", block=True),
    ),
    prepare=prepare,
    plan=plan,
)
