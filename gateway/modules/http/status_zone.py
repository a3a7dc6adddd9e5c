"""status_zone: requests counted by server and by location, for the API; `status_zone NAME` of NGINX Plus.

A server's zone counts the requests that the server got (under way from Request.start() to its clean-up, without a
handler here), a location's those that ended there; `off` in a location takes an outer location's zone away. Servers, or
locations, that name the same zone are counted together, over all workers and over a reload. Compiled with the types of
status_zone.pxd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.zone_counts import ZoneCounts
from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LIF, LOCATION, SERVER, Command, Directive, take
from gateway.core import histogram
from gateway.core.zones import LOCK_SIZE, ZONES, Zone
from gateway.http.core_variables import request_length
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.upstream.peers.api_objects import responses

if TYPE_CHECKING:
    from gateway._fast.zones import Words
    from gateway.config.loader import Loader, Scope
    from gateway.core.histogram import Shown
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.http.servers import Server

# The zone that all counts are in; nginx's own zones cannot have a name like this.
ZONE: Final = " status_zone"
_SERVER: Final = "server"
_LOCATION: Final = "location"

_PROCESSING, _REQUESTS, _DISCARDED, _RECEIVED, _SENT, _TIMES = range(6)
_UPSTREAM_TIMES: Final = _TIMES + histogram.WORDS
# a word for each status from 100 to 599 comes last
_CODES: Final = _UPSTREAM_TIMES + histogram.WORDS
_WORDS: Final = _CODES + 500
_FIRST_BOUND: Final = histogram.BOUNDS[0]
_SUM: Final = histogram.SUM
# Of the quick ones, which are nearly all, a worker makes an id for one a second: an example is the last one anyway.
_EXAMPLE_EVERY_S: Final = 1.0


class Counts:
    """What is counted under one name."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.words: Words
        self.zone: ZoneCounts
        self.example_due = 0.0

    def attach(self, words: Words) -> None:
        self.words = words
        self.zone = ZoneCounts(words, _CODES, _TIMES, _SUM)

    def count(self, request: Request, ids: bool) -> None:
        """A request ends; `ids`: request_history keeps it, it can be asked for."""
        client: Client = request.connection
        now = client.lane.fresh()
        seconds = now - request.started
        ms = int(seconds * 1000 + 0.5) if seconds > 0 else 0
        if request.upstream is not None:
            self.observe_upstream(request.upstream, request.cycle.request_id(request) if ids else None)
        if ms > _FIRST_BOUND:
            self.observe(_TIMES, seconds, request.cycle.request_id(request) if ids else None)
            ms = -1
        elif ids and now >= self.example_due:
            self.example_due = now + _EXAMPLE_EVERY_S
            self.observe(_TIMES, seconds, request.cycle.request_id(request))
            ms = -1
        # most are done that early that one call counts them
        if request.head_sent:
            status = request.log_status or request.err_status or request.response.status
            sent = request.output.sent() - request.get_main().sent_before  # request.bytes_sent()
            self.zone.ended(status, request_length(request), sent, ms)
        else:
            self.zone.ended(0, request_length(request), 0, ms)

    def observe_upstream(self, exchange: Any, id: bytes | None) -> None:
        tries = [attempt.response_ms() for attempt in exchange.attempts if attempt.name is not None]
        if tries:
            self.observe(_UPSTREAM_TIMES, sum(tries) / 1000, id)

    def observe(self, base: Count, seconds: float, id: bytes | None) -> None:
        """histogram.observe, where there is no id to keep."""
        if id is not None:
            histogram.observe(self.words, base, seconds, id)
            return
        ms = int(seconds * 1000 + 0.5) if seconds > 0 else 0
        bucket = 0
        if ms > _FIRST_BOUND:
            bucket = histogram.bucket_of(ms)
        self.zone.took(base + bucket, base + _SUM, ms)

    def times(self) -> tuple[Shown, Shown]:
        """How long requests took, and their upstreams."""
        words = list(self.words.view[:_CODES])
        return histogram.show(words, _TIMES), histogram.show(words, _UPSTREAM_TIMES)

    def show(self) -> dict[str, Any]:
        """As the API has it."""
        words = list(self.words.view)
        codes = words[_CODES:]
        found: dict[str, Any] = {"processing": words[_PROCESSING]} if self.kind == _SERVER else {}
        return {
            **found,
            "requests": words[_REQUESTS],
            "responses": responses([sum(codes[start : start + 100]) for start in range(0, 500, 100)], codes),
            "discarded": words[_DISCARDED],
            "received": words[_RECEIVED],
            "sent": words[_SENT],
        }


class Table:
    """All counts of one configuration."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counts] = {}
        self.servers: list[tuple[Server, Counts]] = []

    def get(self, kind: str, name: str) -> Counts:
        return self.counts.setdefault((kind, name), Counts(kind, name))

    def attach(self, zone: Zone, old: Table | None) -> None:
        """The zone has its memory: go on from what the old cycle had counted."""
        zone.data = self
        for key, counts in self.counts.items():
            counts.attach(zone.words(_WORDS))
            if old is not None and key in old.counts:
                # what is under way is the old workers'
                counts.words.view[_REQUESTS:] = old.counts[key].words.view[_REQUESTS:]
        for server, counts in self.servers:
            server.counts = counts.zone

    def reset(self, kind: str, name: str) -> None:
        """Count from 0 on, but for what is under way."""
        words = self.counts[kind, name].words
        for index in range(_REQUESTS, _WORDS):
            words.store(index, 0)

    def show(self, kind: str) -> dict[str, Any]:
        return {counts.name: counts.show() for counts in self.counts.values() if counts.kind == kind}


@dataclass(slots=True)
class MainConf(Conf):
    table: Table | None = setting(None)


@dataclass(slots=True)
class LocationConf(Conf):
    server: Counts | None = setting(None)
    location: Counts | None = setting(None)


def set_zone(conf: LocationConf, command: Command) -> None:
    name = command.args[0]
    if not name:
        command.fail(f'invalid zone name "{name}"')
    main: MainConf = command.scope.conf(module, "main")
    if not isinstance(main.table, Table):
        main.table = Table()
    if command.scope.context == SERVER:
        if isinstance(conf.server, Counts):
            command.duplicate()
        conf.server = main.table.get(_SERVER, name)
    else:
        conf.location = None if name == "off" else main.table.get(_LOCATION, name)


def prepare(scope: Scope, loader: Loader) -> None:
    main: MainConf = scope.conf(module, "main")
    table: Table | None = main.table
    if table is not None:
        served = [(server, server.root.confs[module].server) for server in scope.owner.servers]
        table.servers = [(server, counts) for server, counts in served if counts is not None]
        size = (LOCK_SIZE + 128 + len(table.counts) * _WORDS * 8 + 4095) // 4096 * 4096
        loader.parts.get(ZONES).add(ZONE, size, "status_zone", reuse=False).user = table


def times(request: Request) -> dict[tuple[str, str], tuple[Shown, Shown]]:
    """By kind ("server", "location") and name."""
    table: Table | None = request.cycle.scope.conf(module, "main").table
    return {} if table is None else {key: counts.times() for key, counts in table.counts.items()}


def show_servers(request: Request) -> dict[str, Any]:
    """/http/server_zones."""
    return _show(request, _SERVER)


def show_locations(request: Request) -> dict[str, Any]:
    """/http/location_zones."""
    return _show(request, _LOCATION)


def reset_server(request: Request, name: str) -> None:
    request.cycle.scope.conf(module, "main").table.reset(_SERVER, name)


def reset_location(request: Request, name: str) -> None:
    request.cycle.scope.conf(module, "main").table.reset(_LOCATION, name)


def _show(request: Request, kind: str) -> dict[str, Any]:
    table: Table | None = request.cycle.scope.conf(module, "main").table
    return {} if table is None else table.show(kind)


def plan(settings: LocationConf, location: Location) -> Contribution:
    server: Counts | None = settings.server
    own: Counts | None = settings.location
    if server is None and own is None:
        return NOTHING
    http = location.scope.enclosing(HTTP)
    assert http is not None
    ids = http.owner.history is not None
    return Contribution(handlers={Phase.LOG: _End(server, own, ids)})


class _End(Part):
    """The log phase: it is counted."""

    def __init__(self, server: Counts | None, own: Counts | None, ids: bool) -> None:
        self.server = server
        self.own = own
        self.ids = ids

    def run(self, request: Request) -> Result:
        if self.server is not None:
            self.server.count(request, self.ids)
        if self.own is not None:
            self.own.count(request, self.ids)
        return None


module = HttpModule(
    name="status_zone",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("status_zone", SERVER | LOCATION | LIF, take(1), set_zone),),
    prepare=prepare,
    plan=plan,
)
