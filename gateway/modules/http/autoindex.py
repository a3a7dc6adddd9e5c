"""autoindex: a folder's contents as a page, or as JSON, JSONP or XML."""

from __future__ import annotations

import errno
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Directive, enum_, flag, take
from gateway.core import folders
from gateway.core.files import FileError
from gateway.core.folders import Entry
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.response import http_date

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_TYPES: Final = {
    "html": b"text/html",
    "json": b"application/json",
    "jsonp": b"application/javascript",
    "xml": b"text/xml",
}
_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
# The width of the column of names, and what is left of a name that is longer.
_WIDTH: Final = 50
_CUT: Final = _WIDTH - 3
_CALLBACK: Final = re.compile(rb"[A-Za-z0-9_.]*")
_MAX_CALLBACK: Final = 128
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(slots=True)
class LocationConf(Conf):
    enable: bool = setting(False)
    format: str = setting("html")
    localtime: bool = setting(False)
    exact_size: bool = setting(True)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enable:
        return NOTHING

    def show(request: Request) -> Result:
        uri = request.uri
        if not uri.endswith(b"/") or request.method not in (b"GET", b"HEAD"):
            return None
        wrong = request.discard_body()
        if wrong:
            return wrong
        path = request.map_uri_to_path(uri)
        if len(path) > 1:
            path = path[:-1]
        format = settings.format
        callback = b""
        if format == "jsonp":
            callback = uri_grammar.args_get(request.args, b"callback") or b""
            problem = _wrong_callback(callback)
            if problem:
                request.log("info", b'client sent %b callback name: "%b"' % (problem, callback))
                return 400
            if not callback:
                format = "json"
        try:
            entries = _entries(request, path)
        except FileError as error:
            request.log(error.level, error.message, OSError(error.errno, ""))
            return error.status if error.failed == "opendir()" else 500
        response = request.response
        response.status = 200
        response.content_type = _TYPES[format]
        if format == "xml":
            response.charset = b"utf-8"
        if not request.send_head():
            if format == "html":
                # the charset filter has said by now in which charset the page is sent
                utf8 = (response.charset or b"").lower() == b"utf-8"
                text = _html(uri, entries, utf8, settings)
            elif format == "xml":
                text = _xml(entries)
            else:
                text = _json(entries)
                if callback:
                    text = b"/* callback */\r\n%b(%b);" % (callback, text)
            request.send([text], last=True)
        return OK

    return Contribution(handlers={Phase.CONTENT: show})


def _wrong_callback(name: bytes) -> bytes:
    if len(name) > _MAX_CALLBACK:
        return b"too long"
    return b"" if _CALLBACK.fullmatch(name) else b"invalid"


def _entries(request: Request, path: bytes) -> list[Entry]:
    """Folders first, each by name; what may not be looked at is left out. Errors: FileError."""
    found = []
    for entry in folders.names(path):
        try:
            found.append(folders.look(entry))
        except FileError as error:
            if error.errno != errno.EACCES:
                raise
            request.log("crit", error.message, OSError(error.errno, ""))
    found.sort(key=lambda entry: (not entry.is_dir, entry.name))
    return found


def _html(uri: bytes, entries: list[Entry], utf8: bool, settings: LocationConf) -> bytes:
    title = uri_grammar.escape_html(uri)
    offset = time.localtime().tm_gmtoff if settings.localtime else 0
    size = _exact_size if settings.exact_size else _rounded_size
    lines = [
        b"<html>\r\n<head><title>Index of %b</title></head>\r\n" % title,
        b'<body>\r\n<h1>Index of %b</h1><hr><pre><a href="../">../</a>\r\n' % title,
    ]
    for entry in entries:
        slash = b"/" if entry.is_dir else b""
        link = uri_grammar.escape(entry.name, "uri_component") + slash
        shown, padding = _shown_name(entry.name, slash, utf8)
        date = time.gmtime(entry.mtime + offset)
        lines.append(
            b'<a href="%b">%b</a>%b %02d-%b-%d %02d:%02d %b\r\n'
            % (
                link,
                shown,
                b" " * padding,
                date.tm_mday,
                _MONTHS[date.tm_mon - 1],
                date.tm_year,
                date.tm_hour,
                date.tm_min,
                size(entry),
            )
        )
    lines.append(b"</pre><hr></body>\r\n</html>\r\n")
    return b"".join(lines)


def _shown_name(name: bytes, slash: bytes, utf8: bool) -> tuple[bytes, int]:
    """The name as the page shows it, and the blanks behind it. Characters count where the page is known to be UTF-8."""
    encoding = "latin-1"
    if utf8:
        try:
            name.decode("utf-8", "surrogatepass")
            encoding = "utf-8"
        except UnicodeDecodeError:
            pass
    text = name.decode(encoding, "surrogatepass")
    length = len(text)
    if length > _WIDTH:
        return uri_grammar.escape_html(text[:_CUT].encode(encoding, "surrogatepass")) + b"..&gt;", 0
    if length == _WIDTH:
        slash = b""
    return uri_grammar.escape_html(name) + slash, _WIDTH - length - len(slash)


def _exact_size(entry: Entry) -> bytes:
    return b"%19d" % entry.size if not entry.is_dir else b"%19b" % b"-"


def _rounded_size(entry: Entry) -> bytes:
    size = entry.size
    if entry.is_dir:
        return b"%7b" % b"-"
    if size >= _GIB:
        return b"%6dG" % ((size + _GIB // 2) // _GIB)
    if size >= _MIB:
        return b"%6dM" % ((size + _MIB // 2) // _MIB)
    if size > 9999:
        return b"%6dK" % ((size + _KIB // 2) // _KIB)
    return b"%7d" % size


def _kind(entry: Entry) -> bytes:
    return b"directory" if entry.is_dir else b"file" if entry.is_file else b"other"


def _json(entries: list[Entry]) -> bytes:
    items = []
    for entry in entries:
        size = b', "size":%d' % entry.size if entry.is_file else b""
        items.append(
            b'{ "name":"%b", "type":"%b", "mtime":"%b"%b }'
            % (uri_grammar.escape_json(entry.name), _kind(entry), http_date(entry.mtime), size)
        )
    return b"[\r\n" + b",\r\n".join(items) + (b"\r\n]" if items else b"]")


def _xml(entries: list[Entry]) -> bytes:
    lines = [b'<?xml version="1.0"?>\r\n<list>\r\n']
    for entry in entries:
        kind = _kind(entry)
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.mtime)).encode()
        size = b' size="%d"' % entry.size if entry.is_file else b""
        name = uri_grammar.escape_html(entry.name)
        lines.append(b'<%b mtime="%b"%b>%b</%b>\r\n' % (kind, date, size, name, kind))
    lines.append(b"</list>\r\n")
    return b"".join(lines)


module = HttpModule(
    name="autoindex",
    location=LocationConf,
    directives=(
        Directive("autoindex", EVERYWHERE, FLAG, flag("enable")),
        Directive("autoindex_format", EVERYWHERE, take(1), enum_("format", {name: name for name in _TYPES})),
        Directive("autoindex_localtime", EVERYWHERE, FLAG, flag("localtime")),
        Directive("autoindex_exact_size", EVERYWHERE, FLAG, flag("exact_size")),
    ),
    plan=plan,
)
