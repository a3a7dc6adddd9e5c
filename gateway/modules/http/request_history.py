"""request_history: the last requests, with what was asked, answered and logged of each, in a file.

    request_history FILE [requests=N] [size=SIZE];      in http: keep the last 1000, up to 4k of each
    request_history off;                                in a server or location: not these

This is gateway's own. `gateway explain --id REQUEST_ID` and the dashboard read it. Bodies are never kept; of
Authorization the scheme, of cookies the names, and of fields and arguments that are named like secrets nothing. A file
that cannot be opened is a warning: what looks on must not stop what works.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LOCATION, SERVER, Command, Directive, take
from gateway.config.text import to_str
from gateway.core.logs import LOG, WARN, Log
from gateway.core.ring import Ring
from gateway.core.zones import ZONES
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.setters import cycle_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.config.errors import Where
    from gateway.config.loader import Loader, Scope
    from gateway.core.variables import Getter
    from gateway.core.zones import Zone
    from gateway.http.locations import Location
    from gateway.http.request import Request

_REQUESTS: Final = 1000
_SIZE: Final = 4096
_ZONE: Final = " request_history"
MASK: Final = "****"
_SECRET: Final = re.compile(r"token|secret|passw|api-?key|session|signature|credential", re.I)
_SECRET_ARGUMENT: Final = re.compile(
    r"([?&][^=&#\s]*(?:token|secret|passw|api_?key|session|signature)[^=&#\s]*=)[^&#\s]+", re.I
)
_COOKIE_VALUE: Final = re.compile(r"=[^;,]*")
_COOKIE_VALUE_SET: Final = re.compile(r"=[^;]*")  # a date has a comma
# Key in a record, and the variable whose value it is.
_VALUES: Final = {
    "id": "request_id", "time": "msec", "client": "remote_addr", "method": "request_method", "uri": "request_uri",
    "scheme": "scheme", "host": "host", "port": "server_port", "protocol": "server_protocol", "status": "status",
    "bytes": "body_bytes_sent", "seconds": "request_time", "server": "server_name", "upstream": "upstream_addr",
    "upstream_status": "upstream_status", "connect": "upstream_connect_time", "header": "upstream_header_time",
    "response": "upstream_response_time", "cache": "upstream_cache_status", "completion": "request_completion",
}  # fmt: skip
_NOTES: Final = " history"  # among a request's values; no variable has a name like this
_FORGOTTEN: Final = b"\0"
_MOST_NOTES: Final = 1500


class History:
    """What is kept, and where."""

    def __init__(self, path: str, requests: int, size: int, log: Log) -> None:
        self.path = path
        self.requests = requests
        self.size = size
        self.ring: Ring | None = None
        self.closed = False  # for one that only asks: the file is left alone
        self.getters: dict[str, Getter] = {}
        self._log = log

    def attach(self, zone: Zone, old: Any) -> None:
        """The workers are about to be made: open the file, which all of them inherit."""
        zone.data = self
        if self.closed:
            return
        try:
            self.ring = Ring.make(self.path, self.requests, self.size)
        except OSError as error:
            self._log.write(WARN, f'request_history: open() "{self.path}" failed', errno=error.errno or 0)

    def note(self, request: Request, level: str, text: bytes, cause: bytes | None) -> None:
        """A line of the error log that belongs to a request."""
        values = request.main.values
        before = values.get(_NOTES) or b""
        if before != _FORGOTTEN and len(before) < _MOST_NOTES:
            line = b"[%b] %b" % (level.encode(), text) + (b" (cause: %b)" % cause if cause is not None else b"")
            values[_NOTES] = (before + b"\n" if before else b"") + line.replace(b"\n", b" ")

    def keep(self, request: Request, place: str) -> None:
        """A request has ended."""
        if self.ring is not None and request.values.get(_NOTES) != _FORGOTTEN:
            self.ring.put(packed(self.record(request, place), self.ring.size))

    def record(self, request: Request, place: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, getter in self.getters.items():
            value = getter(request)
            if value:
                found[key] = to_str(value)
        found["uri"] = masked_uri(found.get("uri", ""))
        found["location"] = place
        found["asked"] = [masked(to_str(name), to_str(value)) for name, value in request.head.fields()]
        found["answered"] = [masked(to_str(name), to_str(value)) for name, value in _answered(request)]
        notes = request.values.get(_NOTES)
        if notes:
            found["notes"] = [masked_uri(note) for note in to_str(notes).split("\n")]
        return found


def forget(request: Request) -> None:
    """Do not keep this one."""
    request.values[_NOTES] = _FORGOTTEN


def _answered(request: Request) -> Iterator[tuple[bytes, bytes]]:
    """The response's fields; the usual ones stand apart from the others."""
    response = request.response
    if response.content_type is not None:
        yield b"Content-Type", response.content_type
    if response.content_length >= 0:
        yield b"Content-Length", b"%d" % response.content_length
    if response.location is not None:
        yield b"Location", response.location
    if response.content_encoding is not None:
        yield b"Content-Encoding", response.content_encoding
    yield from response.fields


def masked(name: str, value: str) -> tuple[str, str]:
    """A field as it may be kept."""
    how = _ways.get(name)
    if how is None:
        if len(_ways) >= _MOST_WAYS:  # clients make names up
            _ways.clear()
        how = _ways[name] = _way(name.lower())
    return name, value if how is _as_it_is else how(value)


def _way(low: str) -> Callable[[str], str]:
    """How the value of a field of this name is kept."""
    if low in ("authorization", "proxy-authorization"):
        return _scheme_alone
    if low == "cookie":
        return _names_of_cookies
    if low == "set-cookie":
        return _name_of_cookie
    if _SECRET.search(low):
        return _nothing
    return masked_uri if low in ("referer", "location") else _as_it_is


def _as_it_is(value: str) -> str:
    return value


def _nothing(value: str) -> str:
    return MASK


def _scheme_alone(value: str) -> str:
    return f"{value.partition(' ')[0]} {MASK}" if " " in value.strip() else MASK


def _names_of_cookies(value: str) -> str:
    return _COOKIE_VALUE.sub(f"={MASK}", value)


def _name_of_cookie(value: str) -> str:
    return _COOKIE_VALUE_SET.sub(f"={MASK}", value, count=1)


_MOST_WAYS: Final = 1000
_ways: dict[str, Callable[[str], str]] = {}


def masked_uri(uri: str) -> str:
    """A URI without the values of arguments that are named like secrets."""
    return _SECRET_ARGUMENT.sub(rf"\1{MASK}", uri) if "=" in uri else uri


# made once: json.dumps makes one for each call that has separators
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def packed(record: dict[str, Any], size: int) -> bytes:
    """As JSON that fits: what is longest goes first."""
    data = _encode(record).encode()
    for key in ("answered", "asked", "notes"):
        while len(data) > size and record.get(key):
            record[key] = record[key][: len(record[key]) // 2]
            record["cut"] = True
            data = _encode(record).encode()
    if len(data) > size:
        record["uri"] = record["uri"][: size // 4]
        record["host"] = record.get("host", "")[:200]
        data = _encode(record).encode()
    return data if len(data) <= size else b"{}"


@dataclass(slots=True)
class MainConf(Conf):
    history: Any = setting(None)


@dataclass(slots=True)
class LocationConf(Conf):
    off: bool = setting(False)


def set_history(conf: LocationConf, command: Command) -> None:
    main: MainConf = command.scope.conf(module, "main")
    if command.args == ["off"]:
        conf.off = True
        return
    if command.scope.context != HTTP:
        command.fail('"request_history" takes "off" alone here')
    if isinstance(main.history, History):
        command.duplicate()
    requests, size = _REQUESTS, _SIZE
    for word in command.args[1:]:
        name, _, value = word.partition("=")
        if name == "requests" and value.isdigit() and 0 < int(value) <= 1_000_000:
            requests = int(value)
        elif name == "size":
            try:
                size = max(1024, units.parse_size(value))
            except ValueError:
                command.fail(f'invalid size "{value}"')
        else:
            command.fail(f'invalid parameter "{word}"')
    main.history = History(command.loader.path(command.args[0]), requests, size, command.loader.parts.get(LOG))
    cycle_of(command).history = main.history


def prepare(scope: Scope, loader: Loader) -> None:
    main: MainConf = scope.conf(module, "main")
    history: History | None = main.history
    if history is not None:
        history.getters = {key: scope.owner.variables.find(name).get for key, name in _VALUES.items()}
        zones = loader.parts.get(ZONES)
        zones.add(_ZONE, 4096, "request_history", reuse=False).user = history


def plan(settings: LocationConf, location: Location) -> Contribution:
    main: MainConf = location.scope.conf(module, "main")
    history: History | None = main.history
    if history is None or settings.off:
        return NOTHING
    place = place_of(location)

    def log(request: Request) -> Result:
        if request.parent is None:
            history.keep(request, place)
        return None

    return Contribution(handlers={Phase.LOG: log})


def place_of(location: Location) -> str:
    """A location as its line has it, with file and line."""
    name = to_str(location.name)
    if location is location.server.root:
        name = "the server itself"
    elif location.nameless:
        name = "if"
    elif location.regex is not None:
        name = f"~ {location.regex.pattern}"
    elif location.exact:
        name = f"= {name}"
    where = _where(location.scope)
    return f"{name} ({where})" if where is not None else name


def _where(scope: Scope) -> Where | None:
    outer = scope.parent
    while outer is not None:
        for statement in outer.statements:
            if statement.block is not None and statement.block is scope.statements:
                return statement.where
        outer = outer.parent
    return None


module = HttpModule(
    name="request_history",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("request_history", HTTP | SERVER | LOCATION, take(1, 2, 3), set_history),),
    prepare=prepare,
    plan=plan,
)
