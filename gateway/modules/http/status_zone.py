"""status_zone: requests counted by server and by location, for the API; `status_zone NAME` of NGINX Plus.

A server's zone counts the requests that the server got (under way from Request.start() to its clean-up, without a
handler here), a location's those that ended there; `off` in a location takes an outer location's zone away. Servers, or
locations, that name the same zone are counted together, over all workers and over a reload: each worker in words of its
own (_fast/zone_counts). Compiled with the types of status_zone.pxd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.zone_counts import ZoneCounts
from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LIF, LOCATION, SERVER, Command, Directive, take
from gateway.core import histogram
from gateway.http.core_variables import request_length
from gateway.http.module import NOTHING, Contribution, Count, HttpModule, Phase, Result, Status
from gateway.http.part import Part
from gateway.serving.count_table import CountTable
from gateway.upstream.peers.api_objects import responses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway._fast.zones import Words
    from gateway.config.loader import Loader, Scope
    from gateway.core.histogram import Shown
    from gateway.core.worker_rows import WorkerRows
    from gateway.core.zones import Zone
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.http.servers import Server
    from gateway.serving.worker import Worker

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
# A worker makes an id for one request a second: an example is the last one anyway. Of the slow ones likewise.
_EXAMPLE_EVERY_S: Final = 1.0


class Counts:
    """What is counted under one name."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.words: Words  # of this worker
        self.zone: ZoneCounts
        self.example_due = 0.0
        self.slow_due = 0.0
        self.rows: WorkerRows

    def attach(self, rows: WorkerRows) -> None:
        self.rows = rows
        self.use(0)

    def use(self, worker: int) -> None:
        """Count in this worker's row from now on; nothing is under way in it yet."""
        self.words = self.rows.use(worker)
        self.words.store(_PROCESSING, 0)  # of one that died
        self.zone = ZoneCounts(self.words, _CODES, _TIMES, _SUM)

    def count(self, request: Request, now: float, seconds: float, status: Status, received: Count, sent: Count,
              ids: bool) -> None:  # fmt: skip
        """A request has ended; `ids`: request_history keeps it, it can be asked for."""
        ms = int(seconds * 1000 + 0.5) if seconds > 0 else 0
        if request.upstream is not None:
            self.observe_upstream(request, now, ids)
        if ms > _FIRST_BOUND:
            self.observe(_TIMES, seconds, self.id_of(request, now) if ids else None)
            ms = -1
        elif ids and now >= self.example_due:
            self.example_due = now + _EXAMPLE_EVERY_S
            self.observe(_TIMES, seconds, request.cycle.request_id(request))
            ms = -1
        # most are done that early that one call counts them
        self.zone.ended(status, received, sent, ms)

    def id_of(self, request: Request, now: float) -> bytes | None:
        """Of a slow one, once a second: to make one costs as much as all else here."""
        if now < self.slow_due:
            return None
        self.slow_due = now + _EXAMPLE_EVERY_S
        return request.cycle.request_id(request)

    def observe_upstream(self, request: Request, now: float, ids: bool) -> None:
        tries = [attempt.response_ms() for attempt in request.upstream.attempts if attempt.name is not None]
        if tries:
            self.observe(_UPSTREAM_TIMES, sum(tries) / 1000, self.id_of(request, now) if ids else None)

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
        return _times(self.rows, _TIMES), _times(self.rows, _UPSTREAM_TIMES)

    def show(self) -> dict[str, Any]:
        """As the API has it."""
        rows = self.rows
        codes = {number + 100: count for number, count in rows.nonzero(_CODES, _WORDS).items()}
        classes = [0] * 5
        for code, count in codes.items():
            classes[code // 100 - 1] += count
        requests, discarded, received, sent = rows.sums(_REQUESTS, _TIMES)
        # what is under way in the old workers is theirs
        found: dict[str, Any] = {"processing": rows.under_way(_PROCESSING)} if self.kind == _SERVER else {}
        return {
            **found,
            "requests": requests,
            "responses": responses(classes, codes),
            "discarded": discarded,
            "received": received,
            "sent": sent,
        }

    def reset(self) -> None:
        """Count from 0 on, but for what is under way."""
        for base in (_TIMES, _UPSTREAM_TIMES):
            for row in self.rows.everywhere:
                histogram.forget(row, base)
        self.rows.clear(_REQUESTS, _WORDS)


def _times(rows: WorkerRows, base: int) -> Shown:
    return histogram.show(rows.sums(base, base + _SUM + 1), [row.view for row in rows.everywhere], base)


class Table(CountTable[tuple[str, str], Counts]):
    """All counts of one configuration, by kind and name."""

    def __init__(self) -> None:
        super().__init__(_WORDS)
        self.servers: list[tuple[Server, Counts]] = []

    def get(self, kind: str, name: str) -> Counts:
        return self.counts.setdefault((kind, name), Counts(kind, name))

    def attach(self, zone: Zone, old: CountTable[tuple[str, str], Counts] | None) -> None:
        super().attach(zone, old)
        self._tell_servers()

    def _tell_servers(self) -> None:
        for server, counts in self.servers:
            server.counts = counts.zone

    def begin_worker(self, worker: Worker) -> None:
        super().begin_worker(worker)
        self._tell_servers()

    def reset(self, kind: str, name: str) -> None:
        """Count from 0 on, but for what is under way."""
        self.counts[kind, name].reset()

    def show(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((counts.name, counts.show()) for counts in self.counts.values() if counts.kind == kind)


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
        table.add_zone(ZONE, "status_zone", scope, loader)


def _table(request: Request) -> Table | None:
    """With all that has ended counted."""
    request.connection.lane.settle()
    table: Table | None = request.cycle.scope.conf(module, "main").table
    return table


def times(request: Request) -> Iterator[tuple[tuple[str, str], tuple[Shown, Shown]]]:
    """By kind ("server", "location") and name."""
    table = _table(request)
    if table is not None:
        for key, counts in table.counts.items():
            yield key, counts.times()


def show_servers(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """/http/server_zones, one by one: there may be thousands."""
    return _show(request, _SERVER)


def show_locations(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """/http/location_zones."""
    return _show(request, _LOCATION)


def reset_server(request: Request, name: str) -> None:
    _reset(request, _SERVER, name)


def reset_location(request: Request, name: str) -> None:
    _reset(request, _LOCATION, name)


def _show(request: Request, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    table = _table(request)
    return iter(()) if table is None else table.show(kind)


def _reset(request: Request, kind: str, name: str) -> None:
    table = _table(request)
    assert table is not None  # it was found there
    table.reset(kind, name)


def counting(location: Location) -> Counting | None:
    """What counts the requests that end here, if something does."""
    settings: LocationConf | None = location.confs.get(module)
    if settings is None or (settings.server is None and settings.location is None):
        return None
    http = location.scope.enclosing(HTTP)
    assert http is not None
    return Counting(settings.server, settings.location, http.owner.history is not None)


def plan(settings: LocationConf, location: Location) -> Contribution:
    zones = counting(location)
    # where requests are kept, that has it done
    return NOTHING if zones is None or zones.ids else Contribution(handlers={Phase.LOG: zones})


class Counting(Part):
    """The log phase: it is counted."""

    def __init__(self, server: Counts | None, own: Counts | None, ids: bool) -> None:
        self.server = server
        self.own = own
        self.ids = ids

    def run(self, request: Request) -> Result:
        client: Client = request.connection
        now = client.lane.fresh()
        status = request.log_status or request.err_status or request.response.status
        sent = request.output.sent() - request.sent_before if request._main is None else request.bytes_sent()
        self.count(request, now, now - request.started, status, sent)
        return None

    def count(self, request: Request, now: float, seconds: float, status: Status, sent: Count) -> None:
        # the head is all that came, mostly
        whole = request.body is None and request._main is None and len(request.method) > 0
        received = request.head.get_length() if whole else request_length(request)
        if not request.head_sent:
            status = 0  # it was not answered
        if self.server is not None:
            self.server.count(request, now, seconds, status, received, sent, self.ids)
        if self.own is not None:
            self.own.count(request, now, seconds, status, received, sent, self.ids)


module = HttpModule(
    name="status_zone",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("status_zone", SERVER | LOCATION | LIF, take(1), set_zone),),
    prepare=prepare,
    plan=plan,
)
