"""request_history: the last requests, with what was asked, answered and logged of each, in a file.

    request_history FILE [requests=N] [size=SIZE] [body=SIZE];
                                                        in http: keep the last 1000, up to 4k of each, and no bodies
    request_history off;                                in a server or location: not these
    $request_location                                   as its line has it: the location that answers, for log formats

This is gateway's own. `gateway explain --id REQUEST_ID` and the dashboard read it. Of a client's body `body=` bytes are
kept (request_history_body.py), of the answer's nothing; of Authorization the scheme, of cookies the names, and of
fields and arguments that are named like secrets nothing. A file that cannot be opened is a warning: what looks on must
not stop what works.

A request pays for bytes copied into the file (compiled with the types of request_history.pxd), its head as it came;
what they say is found by whoever reads them, request_history_record.py. What is masked is masked before it is copied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.ring_writer import front_of
from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LOCATION, SERVER, Command, Directive, take
from gateway.config.text import to_bytes, to_str
from gateway.core.logs import LOG, WARN, Log
from gateway.core.ring import Ring
from gateway.core.variables import Variable
from gateway.core.zones import ZONES
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.setters import cycle_of
from gateway.modules.http import request_history_body, status_zone
from gateway.modules.http.request_history_record import (
    TAG_BODY,
    TAG_NOTES,
    TAG_REPLAY,
    TAG_UPSTREAM,
    UPSTREAM,
    mask,
    mask_uri,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway._fast.ring_writer import RingWriter
    from gateway.config.loader import Loader, Scope
    from gateway.core.variables import Getter
    from gateway.core.zones import Zone
    from gateway.http.body import RequestBody
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.http.response import Response

_REQUESTS: Final = 1000
_SIZE: Final = 4096
_TEXTS: Final = 65536  # for the names of some hundred locations; those of more stand in each record
_ZONE: Final = " request_history"
_NOTES: Final = " history"  # among a request's values; no variable has a name like this
_FORGOTTEN: Final = b"\0"
# A field of the request in a line of the error log, with its value; what has the client's secrets is masked here.
_VALUE: Final = re.compile(rb'(header line: "[^":]*:)[^"]*')
_PLAIN: Final = __file__.endswith(".py")
_MOST_NOTES: Final = 1500
_MOST_BODY: Final = 1 << 20  # each of the slots has room for it


class Replay:
    """A request on its way that the dashboard sends again, in the connection whose number it stands under."""

    def __init__(self, of: bytes, ended: Callable[[], None]) -> None:
        self.of = of  # the id of the one that was kept
        self.number = 0  # of its own record, when there is one
        self.ended = ended


class History:
    """What is kept, and where."""

    def __init__(self, path: str, requests: int, size: int, body: int, log: Log) -> None:
        self.path = path
        self.requests = requests
        self.size = size
        self.body = body  # bytes of each request's body; 0: none
        self.ring: Ring | None = None
        self.writer: RingWriter | None = None
        self.closed = False  # for one that only asks: the file is left alone
        self.upstream: tuple[Getter, ...] = ()
        self.replays: dict[int, Replay] | None = None  # under way, by the number of their connection
        self._log = log

    def attach(self, zone: Zone, old: Any) -> None:
        """The workers are about to be made: open the file, which all of them inherit."""
        zone.data = self
        if self.closed:
            return
        try:
            self.ring = Ring.make(self.path, self.requests, self.size + self.body, _TEXTS)
            self.writer = self.ring.writer(mask)
        except OSError as error:
            self._log.write(WARN, f'request_history: open() "{self.path}" failed', errno=error.errno or 0)

    def note(self, request: Request, level: str, text: bytes, cause: bytes | None) -> None:
        """A line of the error log that belongs to a request."""
        values = request.main.values
        before = values.get(_NOTES) or b""
        if before != _FORGOTTEN and len(before) < _MOST_NOTES:
            if text.startswith(b"client sent"):
                text = _VALUE.sub(rb"\1 ****", text)
            line = b"[%b] %b" % (level.encode(), text) + (b" (cause: %b)" % cause if cause is not None else b"")
            values[_NOTES] = (before + b"\n" if before else b"") + line.replace(b"\n", b" ")


def forget(request: Request) -> None:
    """Do not keep this one."""
    request.values[_NOTES] = _FORGOTTEN


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
    requests, size, body = _REQUESTS, _SIZE, 0
    for word in command.args[1:]:
        name, _, value = word.partition("=")
        if name == "requests" and value.isdigit() and 0 < int(value) <= 1_000_000:
            requests = int(value)
        elif name in ("size", "body"):
            try:
                wanted = units.parse_size(value)
            except ValueError:
                command.fail(f'invalid size "{value}"')
            if name == "size":
                size = max(1024, wanted)
            elif wanted > _MOST_BODY:
                command.fail(f'no more than 1m of a body can be kept, not "{value}"')
            else:
                body = wanted
        else:
            command.fail(f'invalid parameter "{word}"')
    if not _PLAIN:
        _direct()  # before there are workers, who would each import it
    main.history = History(command.loader.path(command.args[0]), requests, size, body, command.loader.parts.get(LOG))
    cycle_of(command).history = main.history


def prepare(scope: Scope, loader: Loader) -> None:
    main: MainConf = scope.conf(module, "main")
    history: History | None = main.history
    if history is not None:
        history.upstream = tuple([scope.owner.variables.find(name).get for name in UPSTREAM.values()])
        zones = loader.parts.get(ZONES)
        zones.add(_ZONE, 4096, "request_history", reuse=False).user = history


def plan(settings: LocationConf, location: Location) -> Contribution:
    main: MainConf = location.scope.conf(module, "main")
    history: History | None = main.history
    if history is None:
        return NOTHING
    zones = status_zone.counting(location)
    if not settings.off:
        kind = Keep if _PLAIN else _direct()
        keep = kind(history, to_bytes(place_of(location)), location.server.server_name, zones)
        return Contribution(handlers={Phase.LOG: keep})
    return NOTHING if zones is None else Contribution(handlers={Phase.LOG: zones})


def _direct() -> type[Keep]:
    from gateway.modules.http.request_history_direct import DirectKeep

    return DirectKeep


class Keep(Part):
    """The log phase, behind the logs: who has made an id for a request has done it by now. Where this is compiled, most
    requests pass by it (request_history_direct.pyx).

    What a status_zone counts is counted here as well, since it asks for the same figures.
    """

    def __init__(self, history: History, place: bytes, server: bytes, zones: status_zone.Counting | None) -> None:
        self.history = history
        self.front = front_of(place[: history.size // 4], server[:256])
        self.kept = history.ring.keep(self.front) if history.ring is not None else 0
        self.zones = zones

    def run(self, request: Request) -> Result:
        client: Client = request.connection
        sent = request.output.sent() - request.sent_before if request._main is None else request.bytes_sent()
        self.ended(request, client.lane.fresh(), sent)
        return None

    def ended(self, request: Request, now: float, sent: Count) -> None:
        """At `now` of the lane's time, after `sent` bytes, head and body."""
        client: Client = request.connection
        took = now - request.started
        response = request.response
        status = request.log_status or request.err_status or response.status
        if self.zones is not None:
            self.zones.count(request, now, took, status, sent)
        writer = self.history.writer
        if writer is None or request.parent is not None:
            return
        id: bytes | None = None
        notes: bytes | None = None
        values = request._values
        if values is not None:
            id = values.get("request_id")
            notes = values.get(_NOTES)
            if notes is not None and notes == _FORGOTTEN:
                return
        local = client.local
        if local is None:
            local = client.local_address()
        peer = client.peer
        remote = peer if type(peer) is tuple else client.remote()
        if status == 0 and request.http_version == 9:
            status = 9  # as in $status
        sent -= request.head_size
        number = writer.begin(
            client.lane.wall_time(),
            took if took > 0 else 0.0,
            sent if sent > 0 else 0,
            response.content_length,
            status,
            local[1],
            request.http_version,
            request.complete,
            id,
            self.front,
            client.scheme,
            remote[0],
            response.content_type,
            self.kept,
        )
        replays = self.history.replays
        replay = replays.pop(client.number, None) if replays is not None else None
        if replay is not None:
            writer.tag(TAG_REPLAY)
            writer.text(replay.of, 64)
        if request.upstream is not None:
            self.keep_upstream(writer, request)
        if notes is not None:
            writer.tag(TAG_NOTES)
            writer.text(mask_uri(notes), self.history.size // 4)
        writer.head(request.head, request.method)
        if response.location is not None or response.content_encoding is not None or response.fields:
            self.keep_answer(writer, response)
        if self.history.body and request.body is not None:
            self.keep_body(writer, request.body)
        writer.end()
        if replay is not None:
            replay.number = number
            replay.ended()

    def keep_upstream(self, writer: RingWriter, request: Request) -> None:
        writer.tag(TAG_UPSTREAM)
        for getter in self.history.upstream:
            writer.text(getter(request), 512)

    def keep_body(self, writer: RingWriter, body: RequestBody) -> None:
        found = request_history_body.kept(body, self.history.body)
        if found:
            writer.tag(TAG_BODY)
            writer.text(found, len(found))

    def keep_answer(self, writer: RingWriter, response: Response) -> None:
        """The response's fields, but for its type and length; the usual ones stand apart from the others."""
        if response.location is not None:
            writer.answered(b"Location", response.location)
        if response.content_encoding is not None:
            writer.plain(b"Content-Encoding", response.content_encoding)
        for pair in response.fields:
            writer.answered(pair[0], pair[1])


def place_of(location: Location) -> str:
    """A location as its line has it, with file and line."""
    name = name_of(location)
    where = location.scope.where()
    return f"{name} ({where})" if where is not None else name


def name_of(location: Location) -> str:
    """A location as its line has it."""
    name = to_str(location.name)
    if location is location.server.root:
        name = "the server itself"
    elif location.nameless:
        name = "if"
    elif location.regex is not None:
        name = f"~ {location.regex.pattern}"
    elif location.exact:
        name = f"= {name}"
    return name


def request_location(request: Request) -> bytes:
    """$request_location: the one that answers, for log formats."""
    return to_bytes(name_of(request.location))


module = HttpModule(
    name="request_history",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("request_history", HTTP | SERVER | LOCATION, take(1, 2, 3, 4), set_history),),
    variables=(Variable("request_location", request_location),),
    prepare=prepare,
    plan=plan,
)
