"""metrics: `metrics;` answers with what the API shows, in Prometheus's text format (version 0.0.4), or OpenMetrics.

Names and labels are those that NGINX's Prometheus exporter gives to NGINX Plus, so that its dashboards and alerts hold.
A counter that is reset through the API begins anew, as Prometheus expects.
How long requests and their upstreams take is counted in buckets where a `status_zone` is, in families of gateway; with
request_history the OpenMetrics form has the id of an example for each bucket (`gateway explain --id`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway import __version__
from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, NOARGS, Command, Directive
from gateway.core.histogram import BOUNDS
from gateway.core.turns import PORTION, Work, in_turns
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers
from gateway.modules.http import status_zone
from gateway.modules.http.api import RESOURCES, Call
from gateway.modules.http.api_json import answer

if TYPE_CHECKING:
    from gateway.core.histogram import Shown
    from gateway.http.locations import Location
    from gateway.http.request import Request

_TYPE: Final = b"text/plain; version=0.0.4"
_OPEN_TYPE: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
_STATES: Final = {"up": 1, "draining": 2, "down": 3, "unavail": 4, "checking": 5, "unhealthy": 6}

# (name in the API's object, the metric's end, its kind, what it is)
Figure = tuple[str, str, str, str]

_CONNECTIONS: Final[tuple[Figure, ...]] = (
    ("accepted", "accepted", "counter", "Accepted client connections"),
    ("dropped", "dropped", "counter", "Dropped client connections"),
    ("active", "active", "gauge", "Active client connections"),
    ("idle", "idle", "gauge", "Idle client connections"),
)
_REQUESTS: Final[tuple[Figure, ...]] = (
    ("total", "total", "counter", "Total http requests"),
    ("current", "current", "gauge", "Current http requests"),
)
_ZONE: Final[tuple[Figure, ...]] = (
    ("processing", "processing", "gauge", "Client requests that are currently being processed"),
    ("requests", "requests", "counter", "Total client requests"),
    ("discarded", "discarded", "counter", "Requests completed without sending a response"),
    ("received", "received", "counter", "Bytes received from clients"),
    ("sent", "sent", "counter", "Bytes sent to clients"),
)
_PEER: Final[tuple[Figure, ...]] = (
    ("active", "active", "gauge", "Active connections"),
    ("max_conns", "limit", "gauge", "Limit for connections which corresponds to the max_conns parameter"),
    ("requests", "requests", "counter", "Total client requests"),
    ("sent", "sent", "counter", "Bytes sent to this server"),
    ("received", "received", "counter", "Bytes received from this server"),
    ("fails", "fails", "counter", "Number of unsuccessful attempts to communicate with the server"),
    ("unavail", "unavail", "counter", "How many times the server became unavailable for client requests"),
    ("header_time", "header_time", "gauge", "Average time to get the response header from the server"),
    ("response_time", "response_time", "gauge", "Average time to get the full response from the server"),
)
_CHECKS: Final[tuple[Figure, ...]] = (
    ("checks", "health_checks_checks", "counter", "Total health check requests"),
    ("fails", "health_checks_fails", "counter", "Failed health checks"),
    ("unhealthy", "health_checks_unhealthy", "counter", "How many times the server became unhealthy"),
)
_SYNC: Final[tuple[Figure, ...]] = (
    ("online", "up", "gauge", "Whether the store of zone_sync_store answers"),
    ("lag", "lag_seconds", "gauge", "For how long nothing has been heard of the other nodes"),
    ("round_time", "round_seconds", "gauge", "How long the last exchange with the store took"),
    ("rounds", "rounds", "counter", "Exchanges with the store"),
    ("failures", "failures", "counter", "Exchanges with the store that failed"),
    ("records_sent", "records_sent", "counter", "Records that were sent to the store"),
    ("bytes_sent", "bytes_sent", "counter", "Bytes of keys and values that were sent to the store"),
    ("bytes_received", "bytes_received", "counter", "Bytes of keys and values that came from the store"),
    ("cleaned", "cleaned", "counter", "How often keys that held something else were deleted"),
    ("exact_asked", "exact_asked", "counter", "Requests that the store decided, by limit_req with exact"),
    ("exact_local", "exact_local", "counter", "Such requests that were decided here, since it did not answer in time"),
)
_LIMIT: Final = ("passed", "delayed", "rejected", "delayed_dry_run", "rejected_dry_run")
_LE: Final = (*(str(bound / 1000) for bound in BOUNDS), "+Inf")
# So many make a turn of a millisecond or two.
_ZONES: Final = PORTION // 2
_PEERS: Final = PORTION // 4
_LINES: Final = 20 * PORTION
_RESPONSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)


def set_metrics(conf: LocationConf, command: Command) -> None:
    if conf.enabled:
        command.duplicate()
    conf.enabled = True
    answers(conf, command)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enabled:
        return NOTHING

    def handle(request: Request) -> Result | Awaitable[Result]:
        if request.method not in (b"GET", b"HEAD"):
            return 405
        wrong = request.discard_body()
        if wrong:
            return wrong
        request.response.fields.append((b"Cache-Control", b"no-cache"))
        accepted = request.head.get(b"accept") or b""
        open_metrics = b"application/openmetrics-text" in accepted
        return in_turns(_answer(request, open_metrics))

    return Contribution(content=handle)


def _answer(request: Request, open_metrics: bool) -> Work[Result]:
    text = yield from text_of(request, open_metrics)
    return answer(request, 200, text, _OPEN_TYPE if open_metrics else _TYPE)


class Page:
    """The text, family after family; a family's samples stand together, as the format asks.

    `labels` are those of labels(): made once for all samples of a thing, they were a third of the page's time.
    """

    def __init__(self, open_metrics: bool = False) -> None:
        self.open_metrics = open_metrics
        self.families: dict[str, list[str]] = {}

    def sample(self, name: str, kind: str, words: str, value: float, labels: str = "") -> None:
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        # OpenMetrics wants the samples of counters to end in _total
        end = "_total" if self.open_metrics and kind == "counter" else ""
        family.append(f"{name}{end}{{{labels}}} {value}" if labels else f"{name}{end} {value}")

    def histogram(self, name: str, words: str, shown: Shown, labels: str) -> None:
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = [f"# HELP {name} {words}", f"# TYPE {name} histogram"]
        # one line for each bucket of each zone: they are most of the page
        begin = f"{name}_bucket{{{labels},le="
        so_far = 0
        for bound, count, example in zip(_LE, shown.counts, shown.examples, strict=True):
            so_far += count
            line = f'{begin}"{bound}"}} {so_far}'
            if self.open_metrics and example is not None:
                line += f' # {{request_id="{example.id}"}} {example.seconds} {example.at}'
            family.append(line)
        family += (f"{name}_sum{{{labels}}} {shown.sum_s}", f"{name}_count{{{labels}}} {so_far}")

    def figures(self, prefix: str, figures: Iterable[Figure], values: dict[str, Any], labels: str = "") -> None:
        for key, end, kind, words in figures:
            if key in values:
                self.sample(f"{prefix}_{end}", kind, words, values[key], labels)

    def responses(self, name: str, values: dict[str, Any], labels: str) -> None:
        counts = values["responses"]
        for code in _RESPONSES:
            words = "Total responses sent to clients"
            self.sample(name, "counter", words, counts[code], f'{labels},code="{code}"')

    def text(self) -> Work[list[bytes]]:
        """In pieces; what they are made of is let go of on the way."""
        pieces = []
        while self.families:
            family = self.families.pop(next(iter(self.families)))
            family.reverse()
            while len(family) > _LINES:
                some = family[: -_LINES - 1 : -1]
                del family[-_LINES:]
                pieces.append("\n".join([*some, ""]).encode("utf-8", "surrogateescape"))
                yield
            family.reverse()
            pieces.append("\n".join([*family, ""]).encode("utf-8", "surrogateescape"))
        if self.open_metrics:
            pieces.append(b"# EOF\n")
        return pieces


def labels(**texts: str) -> str:
    """As they stand between the braces of a sample."""
    return ",".join([f'{name}="{_escaped(text)}"' for name, text in texts.items()])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def text_of(request: Request, open_metrics: bool = False) -> Work[list[bytes]]:
    """All that is counted, read from the shared zones: the same from whichever worker is asked."""
    call = Call(request, False, None)
    page = Page(open_metrics)
    page.sample("nginxplus_up", "gauge", "Status of the last metric scrape", 1)
    page.sample("gateway_build_info", "gauge", "Version of gateway", 1, labels(version=__version__))
    page.figures("nginxplus_connections", _CONNECTIONS, call.connections())
    page.figures("nginxplus_http_requests", _REQUESTS, call.requests())
    for number, (name, zone) in enumerate(_shown(call, "http/server_zones"), 1):
        if number % _ZONES == 0:
            yield
        its = labels(server_zone=name)
        page.figures("nginxplus_server_zone", _ZONE, zone, its)
        page.responses("nginxplus_server_zone_responses", zone, its)
    for number, (name, zone) in enumerate(_shown(call, "http/location_zones"), 1):
        if number % _ZONES == 0:
            yield
        its = labels(location_zone=name)
        page.figures("nginxplus_location_zone", _ZONE, zone, its)
        page.responses("nginxplus_location_zone_responses", zone, its)
    for number, ((of, name), (whole, upstreams)) in enumerate(status_zone.times(request), 1):
        if number % _ZONES == 0:
            yield
        its = labels(**{f"{of}_zone": name})
        page.histogram(f"gateway_{of}_zone_request_seconds", "How long requests took", whole, its)
        if any(upstreams.counts):
            words = "How long their upstreams took"
            page.histogram(f"gateway_{of}_zone_upstream_seconds", words, upstreams, its)
    described = yield from call.upstreams("http", [])
    for name, upstream in described.items():
        yield from _upstream(page, name, upstream)
    for kind, label in (("limit_reqs", "limit_request"), ("limit_conns", "limit_connection")):
        for name, zone in _shown(call, f"http/{kind}"):
            for key in _LIMIT:
                if key in zone:
                    words = f"Total number of {'requests' if kind == 'limit_reqs' else 'connections'} that were {key}"
                    page.sample(f"nginxplus_{label}_{key}", "counter", words, zone[key], labels(zone=name))
    for name, cache in _shown(call, "http/caches"):
        page.sample("nginxplus_cache_size", "gauge", "Total size of the cache", cache["size"], labels(zone=name))
    sync = call.main.sync
    if sync is not None:
        shown = {key: value for key, value in sync.show().items() if value is not None}
        page.figures("gateway_zone_sync", _SYNC, {**shown, "online": int(bool(shown["online"]))})
    for worker in call.workers().values():
        its = labels(id=str(worker["id"]), pid=str(worker["pid"]))
        page.figures("nginxplus_worker_connection", _CONNECTIONS, worker["connections"], its)
        page.figures("nginxplus_worker_http_requests", _REQUESTS, worker["http"]["requests"], its)
    return (yield from page.text())


def _shown(call: Call, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The items of one of the API's resources."""
    resource = RESOURCES[path]
    found = resource.show(call)
    return found if resource.many else iter(found.items())


def _upstream(page: Page, name: str, upstream: dict[str, Any]) -> Work[None]:
    group = labels(upstream=name)
    page.sample("nginxplus_upstream_keepalive", "gauge", "Idle keepalive connections", upstream["keepalive"], group)
    page.sample("nginxplus_upstream_zombies", "gauge", "Servers removed from the group but still processing requests",
                upstream["zombies"], group)  # fmt: skip
    for number, peer in enumerate(upstream["peers"], 1):
        if number % _PEERS == 0:
            yield
        its = labels(server=peer["server"], upstream=name)
        page.sample("nginxplus_upstream_server_state", "gauge", "Current state", _STATES.get(peer["state"], 0), its)
        page.figures("nginxplus_upstream_server", _PEER, peer, its)
        page.responses("nginxplus_upstream_server_responses", peer, its)
        page.figures("nginxplus_upstream_server", _CHECKS, peer["health_checks"], its)


module = HttpModule(
    name="metrics",
    location=LocationConf,
    directives=(Directive("metrics", LOCATION, NOARGS, set_metrics),),
    plan=plan,
)
