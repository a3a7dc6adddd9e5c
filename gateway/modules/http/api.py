"""api: `api [write=on | off]` of NGINX Plus, its paths and JSON up to version 9; GET for all, changes with write=on.

    /nginx /processes /connections /slabs[/ZONE] /workers[/ID] /resolvers[/ZONE] /ssl /events (gateway's own)
    /http/keyvals[/ZONE] (api_keyvals.py) /http/zone_sync (cluster/sync.py)
    /http/requests /http/server_zones[/ZONE] /http/location_zones[/ZONE] /http/limit_reqs[/ZONE]
    /http/caches[/ZONE] /http/limit_conns[/ZONE] /http/upstreams[/NAME[/servers[/ID]]]
    /stream/server_zones[/ZONE] /stream/limit_conns[/ZONE] /stream/upstreams[/NAME[/servers[/ID]]]

DELETE of what is counted begins to count anew. Different from NGINX Plus: a cache shows its size alone, and nothing is
counted of limit_conn; of TLS clients' handshakes are counted, not by zone, and not why a certificate was refused; a
zone's memory is not cut into slots of sizes, so slabs have none and their DELETE does nothing; `connections` and
`requests` are those of stub_status, which DELETE resets with them; there is no license.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from gateway import NGINX_VERSION, __version__
from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, Command, Directive, take
from gateway.config.text import to_str
from gateway.core.tls_counts import the_counts
from gateway.core.turns import Work, collected, in_turns
from gateway.core.zones import ZONES
from gateway.http.body import read_body
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers, cycle_of
from gateway.modules.http import dashboard_certificates, dashboard_events, status_zone, stub_status, zone_sync
from gateway.modules.http.api_json import answer, encoded
from gateway.modules.http.api_keyvals import keyvals
from gateway.modules.http.dashboard_events import by_whom
from gateway.modules.stream import limit_conn as stream_limit_conn
from gateway.modules.stream import status_zone as stream_status_zone
from gateway.serving.cycle import BLOCKS
from gateway.serving.resolver_directive import RESOLVER_COUNTS
from gateway.upstream.cache.file_cache import FileCache
from gateway.upstream.peers import api_objects, state
from gateway.upstream.peers.api_objects import ApiError

if TYPE_CHECKING:
    from gateway.cluster.sync import Sync
    from gateway.config.loader import Loader, Scope
    from gateway.core.counters import Counters, Status
    from gateway.core.resolver_counts import ResolverCounts
    from gateway.core.zones import Zones
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.upstream.peers.upstreams import Upstream

_VERSIONS: Final = list(range(1, 10))
_HREF: Final = "https://nginx.org/en/docs/http/ngx_http_api_module.html"
_PAGE: Final = 4096
_TOP: Final = (
    "nginx", "processes", "connections", "slabs", "http", "stream", "resolvers", "ssl", "workers", "events",
)  # fmt: skip
_READS: Final = frozenset({b"GET", b"HEAD"})


@dataclass(slots=True)
class MainConf(Conf):
    loaded_ms: int = setting(0)
    generation: int = setting(0)
    zones: Zones = setting(None)
    resolvers: dict[str, ResolverCounts] = setting(factory=dict)
    sync: Sync | None = setting(None)
    blocks: dict[str, Any] = setting(factory=dict)  # the cycles of the configuration, by the names of their blocks


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)
    write: bool = setting(False, inherit=False)


_generation = 0


def prepare(scope: Scope, loader: Loader) -> None:
    global _generation
    _generation += 1
    main = scope.conf(module, "main")
    main.loaded_ms = time.time_ns() // 1_000_000
    main.generation = _generation
    main.zones = loader.parts.get(ZONES)
    main.sync = scope.conf(zone_sync.module, "main").sync
    main.resolvers = loader.parts.get(RESOLVER_COUNTS)
    main.blocks = loader.parts.get(BLOCKS)


def set_api(conf: LocationConf, command: Command) -> None:
    if conf.enabled:
        command.duplicate()
    conf.enabled = True
    answers(conf, command)
    cycle_of(command).tls_counts = the_counts()
    for parameter in command.args:
        if parameter not in ("write=on", "write=off"):
            command.fail(f'invalid parameter "{parameter}"')
        conf.write = parameter == "write=on"


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enabled:
        return NOTHING
    write: bool = settings.write

    def handle(request: Request) -> Result | Awaitable[Result]:
        if request.method in _READS:
            return request.discard_body() or in_turns(_answer(request, write, None))
        return _with_body(request, write)

    return Contribution(content=handle)


async def _with_body(request: Request, write: bool) -> Result:
    status = await read_body(request)
    if status is not None:
        return status
    body = request.body
    data = b""
    if body is not None:
        for piece in body.pieces():
            data += piece if isinstance(piece, bytes) else piece.read()
    answer = in_turns(_answer(request, write, data))
    return await answer if isinstance(answer, Awaitable) else answer


def _answer(request: Request, write: bool, body: bytes | None) -> Work[Result]:
    call = Call(request, write, body)
    try:
        found = yield from call.run()
    except ApiError as error:
        call.status = error.status
        found = {
            "error": {"status": error.status, "text": error.text, "code": error.code},
            "request_id": os.urandom(16).hex(),
            "href": _HREF,
        }
    fields = request.response.fields
    fields.append((b"Cache-Control", b"no-cache"))
    if call.allow:
        fields.append((b"Allow", call.allow.encode()))
    if call.status == 204:
        return 204
    text = yield from encoded(found)
    return answer(request, call.status, text, b"application/json")


class Call:
    """One request to the API."""

    def __init__(self, request: Request, write: bool, body: bytes | None) -> None:
        self.request = request
        self.write = write
        self.body = body
        self.method = request.method.decode("latin-1")
        self.status = 200
        self.allow = ""
        location = request.location
        uri = request.uri if location.regex is not None or location.nameless else request.uri[len(location.name) :]
        path = uri.decode("utf-8", "surrogateescape").strip("/")
        self.path = path.split("/") if path else []
        self.fields = _fields(request.args)

    def run(self) -> Work[Any]:
        """The answer. Errors: ApiError."""
        if not self.path:
            return self.only("GET", lambda: _VERSIONS)
        version, *rest = self.path
        if version not in map(str, _VERSIONS):
            code = "UnknownVersion" if version.isdigit() else "PathNotFound"
            raise ApiError(404, "unknown version" if version.isdigit() else "path not found", code)
        if rest[:2] == ["http", "keyvals"]:
            return keyvals(self, rest[2:])
        if rest[:2] in (["http", "upstreams"], ["stream", "upstreams"]):
            return (yield from self.upstreams(rest[0], rest[2:]))
        resource = RESOURCES.get("/".join(rest))
        if resource is not None:
            method = self.permit("GET DELETE" if resource.reset and not resource.missing else "GET")
            if method == "DELETE":
                resource.reset(self, "")  # type: ignore[misc]
                return None
            found = {} if method == "OPTIONS" else (yield from resource.shown(self))
            return list(found.values()) if resource.listed else self.selected(found)
        *above, last = rest
        resource = RESOURCES.get("/".join(above))
        if resource is None or not resource.missing:
            raise ApiError(404, "path not found", "PathNotFound")
        name = unquote(last)
        items = yield from resource.shown(self)
        if name not in items:
            raise ApiError(404, *resource.missing)
        if self.permit("GET DELETE" if resource.reset else "GET") == "DELETE":
            resource.reset(self, name)  # type: ignore[misc]
            return None
        return self.selected(items[name])

    def only(self, methods: str, show: Callable[[], Any]) -> Any:
        """Answer a resource that can be read, or say what it allows."""
        self.permit(methods)
        return {} if self.method == "OPTIONS" else show()

    def permit(self, methods: str) -> str:
        """The method, if it is one of the resource's and allowed; a DELETE has no answer. Errors: ApiError."""
        allowed = methods.split() if self.write else ["GET"]
        listed = ["GET", "HEAD", "OPTIONS", *(method for method in allowed if method != "GET")]
        if self.method not in listed:
            self.allow = ", ".join(listed)
            raise ApiError(405, f"method {self.method} disabled", "MethodDisabled")
        if self.method == "OPTIONS":
            self.allow = ", ".join(listed)
        if self.method == "DELETE":
            self.status = 204
        return self.method

    def selected(self, found: Any) -> Any:
        """`?fields=a,b`: only these."""
        if self.fields is None or not isinstance(found, dict):
            return found
        return {key: value for key, value in found.items() if key in self.fields}

    def upstreams(self, block: str, path: list[str]) -> Work[Any]:
        """/http/upstreams, or /stream/upstreams, and what is below it."""
        zoned = self.zoned(block)
        now = int(self.request.connection.lane.now)
        describe = api_objects.describe if block == "http" else api_objects.describe_stream
        if not path:
            if self.fields == [""]:
                return self.only("GET", lambda: list(zoned))
            if self.permit("GET") == "OPTIONS":
                return {}
            return (yield from collected((name, self.selected(describe(each, now))) for name, each in zoned.items()))
        upstream = zoned.get(unquote(path[0]))
        if upstream is None:
            raise ApiError(404, "upstream not found", "UpstreamNotFound")
        if len(path) == 1:
            if self.permit("GET DELETE") == "DELETE":
                yield from api_objects.reset(upstream)
                return None
            return self.selected(describe(upstream, now))
        if path[1] != "servers" or len(path) > 3:
            raise ApiError(404, "path not found", "PathNotFound")
        return self.servers(upstream) if len(path) == 2 else self.server(upstream, path[2])

    def zoned(self, block: str) -> dict[str, Upstream]:
        """The upstreams of a block that are shown: those with a zone."""
        cycle = self.main.blocks.get(block)
        return {
            api_objects.text_of(upstream.name): upstream
            for upstream in (cycle.upstreams.all if cycle is not None else ())
            if upstream.shared is not None
        }

    def servers(self, upstream: Upstream) -> Any:
        assert upstream.shared is not None
        self.permit("GET POST")
        if self.method != "POST":
            return api_objects.servers(upstream.shared)
        made = api_objects.add(upstream, self.parameters(), by_whom(self.request, "the API"))
        self.status = 201
        self.save(upstream)
        self.request.response.location = b"%b/%d" % (self.request.uri.rstrip(b"/"), made["id"])
        return made

    def server(self, upstream: Upstream, number: str) -> Any:
        assert upstream.shared is not None
        self.permit("GET PATCH DELETE")
        peer = api_objects.find(upstream.shared, number)
        if self.method == "DELETE":
            api_objects.remove(upstream, peer, by_whom(self.request, "the API"))
            self.status = 200  # with what is left
            self.save(upstream)
            return api_objects.servers(upstream.shared)
        if self.method == "PATCH":
            changed = api_objects.change(upstream, peer, self.parameters(), by_whom(self.request, "the API"))
            self.save(upstream)
            return changed
        return api_objects.configured(upstream.shared, peer)

    def save(self, upstream: Upstream) -> None:
        """Keep the change in the `state` file."""
        if upstream.state and upstream.shared is not None:
            try:
                state.save(upstream.shared, upstream.state)
            except OSError as error:
                words = f'writing state file "{upstream.state}" failed ({error.errno}: {error.strerror})'
                self.request.log("crit", words)

    def parameters(self) -> dict[str, Any]:
        """The object that the body holds. Errors: ApiError."""
        try:
            values = json.loads(self.body or b"")
        except (ValueError, RecursionError):
            raise ApiError(415, "json error", "JsonError") from None
        if not isinstance(values, dict):
            raise ApiError(400, "invalid parameter value", "UpstreamConfFormatError")
        return values

    # -- what else is shown ----------------------------------------------------------------------------------------

    @property
    def main(self) -> MainConf:
        settings: MainConf = self.request.cycle.scope.conf(module, "main")
        return settings

    def nginx(self) -> Any:
        main = self.main
        return {
            "version": NGINX_VERSION,
            "build": f"gateway-{__version__}",
            "address": self.request.connection.server_addr.decode("latin-1"),
            "generation": main.generation,
            "load_timestamp": api_objects.stamp(main.loaded_ms),
            "timestamp": api_objects.stamp(time.time_ns() // 1_000_000),
            "pid": os.getpid(),
            "ppid": os.getppid(),
        }

    def connections(self) -> Any:
        return _connections(stub_status.read(self.request))

    def requests(self) -> Any:
        return _requests(stub_status.read(self.request))

    def workers(self) -> dict[str, Any]:
        found = {}
        for worker in self.counters.workers():
            found[str(worker.number)] = {
                "id": worker.number,
                "pid": worker.pid,
                "connections": _connections(worker.status),
                "http": {"requests": _requests(worker.status)},
            }
        return found

    @property
    def counters(self) -> Counters:
        return stub_status.counters_of(self.request)

    def reset_worker(self, number: str) -> None:
        self.counters.reset(connections=True, number=int(number))
        self.counters.reset(connections=False, number=int(number))

    def events(self) -> dict[int, Any]:
        certificates = dashboard_certificates.listed(self.request.cycle)
        return dict(enumerate(dashboard_events.asked(to_str(self.request.args), certificates)))

    def resolvers(self) -> dict[str, Any]:
        return {name: counts.shown() for name, counts in self.main.resolvers.items()}

    def slabs(self) -> dict[str, Any]:
        found = {}
        for zone in self.main.zones or ():
            if zone.name == status_zone.ZONE:
                continue
            pages = zone.size // _PAGE
            free = min(zone.unused() // _PAGE, pages)
            found[zone.name] = {"pages": {"used": pages - free, "free": free}, "slots": {}}
        return found

    def caches(self) -> dict[str, Any]:
        return {zone.name: zone.data.show() for zone in self.main.zones or () if isinstance(zone.data, FileCache)}

    def limit_reqs(self) -> dict[str, Any]:
        return {zone.name: zone.data.show() for zone in self.main.zones or () if zone.owner == "limit_req"}

    def limit_conns(self) -> dict[str, Any]:
        return {zone.name: zone.data.show() for zone in self.main.zones or () if zone.owner == "limit_conn"}

    def stream_limit_conns(self) -> dict[str, Any]:
        zones = self.main.zones or ()
        return {zone.name: zone.data.show() for zone in zones if zone.owner == stream_limit_conn.OWNER}

    def stream_server_zones(self) -> dict[str, Any]:
        cycle = self.main.blocks.get("stream")
        return {} if cycle is None else stream_status_zone.show(cycle)

    def reset_stream_server_zone(self, name: str) -> None:
        stream_status_zone.reset(self.main.blocks["stream"], name)

    def reset_zone(self, name: str) -> None:
        zones: Zones = self.main.zones
        zone = zones.get(name)
        assert zone is not None
        zone.data.reset()


def _connections(status: Status) -> dict[str, int]:
    return {
        "accepted": status.accepted,
        "dropped": status.accepted - status.handled,
        "active": status.active - status.waiting,
        "idle": status.waiting,
    }


def _requests(status: Status) -> dict[str, int]:
    return {"total": status.requests, "current": status.reading + status.writing}


def _fields(args: bytes) -> list[str] | None:
    for part in args.split(b"&"):
        key, equals, value = part.partition(b"=")
        if key == b"fields" and equals:
            return unquote(value.decode("latin-1")).split(",")
    return None


@dataclass(frozen=True, slots=True)
class Resource:
    """What a path shows."""

    show: Callable[[Call], Any]
    missing: tuple[str, str] | None = None  # of one with items: what is said of a name that is not there, and its code
    reset: Callable[[Call, str], object] | None = None  # DELETE of an item, or of the whole where it has none
    listed: bool = False  # shown as a list of its items
    many: bool = False  # show() gives its items one by one, with their names

    def shown(self, call: Call) -> Work[Any]:
        """What show() gives, in turns where there may be many items."""
        return (yield from collected(self.show(call))) if self.many else self.show(call)


RESOURCES: Final[dict[str, Resource]] = {
    "": Resource(
        lambda call: [*_TOP]
    ),
    "nginx": Resource(Call.nginx),
    "events": Resource(Call.events, listed=True),
    "processes": Resource(
        lambda call: {"respawned": call.counters.respawns.load(0)},
        reset=lambda call, name: call.counters.respawns.store(0, 0),
    ),
    "connections": Resource(Call.connections, reset=lambda call, name: call.counters.reset(connections=True)),
    "slabs": Resource(Call.slabs, ("slab not found", "SlabNotFound"), lambda call, name: None),
    "workers": Resource(Call.workers, ("worker not found", "WorkerNotFound"), Call.reset_worker, listed=True),
    "resolvers": Resource(
        Call.resolvers,
        ("resolver zone not found", "ResolverZoneNotFound"),
        lambda call, name: call.main.resolvers[name].reset(),
    ),
    "ssl": Resource(lambda call: the_counts().show(), reset=lambda call, name: the_counts().reset()),
    "http": Resource(
        lambda call: [
            "requests",
            "server_zones",
            "location_zones",
            "caches",
            "limit_conns",
            "limit_reqs",
            "upstreams",
            "keyvals",
            "zone_sync",
        ]
    ),
    "http/zone_sync": Resource(lambda call: {} if call.main.sync is None else call.main.sync.show()),
    "http/requests": Resource(Call.requests, reset=lambda call, name: call.counters.reset(connections=False)),
    "http/server_zones": Resource(
        lambda call: status_zone.show_servers(call.request),
        ("server zone not found", "ServerZoneNotFound"),
        lambda call, name: status_zone.reset_server(call.request, name),
        many=True,
    ),
    "http/location_zones": Resource(
        lambda call: status_zone.show_locations(call.request),
        ("location zone not found", "LocationZoneNotFound"),
        lambda call, name: status_zone.reset_location(call.request, name),
        many=True,
    ),
    "http/caches": Resource(Call.caches, ("cache not found", "CacheNotFound")),
    "http/limit_conns": Resource(Call.limit_conns, ("limit_conn not found", "LimitConnNotFound"), Call.reset_zone),
    "stream": Resource(lambda call: ["server_zones", "limit_conns", "upstreams"]),
    "stream/server_zones": Resource(
        Call.stream_server_zones,
        ("server zone not found", "ServerZoneNotFound"),
        Call.reset_stream_server_zone,
    ),
    "stream/limit_conns": Resource(
        Call.stream_limit_conns, ("limit_conn not found", "LimitConnNotFound"), Call.reset_zone
    ),
    "http/limit_reqs": Resource(Call.limit_reqs, ("limit_req not found", "LimitReqNotFound"), Call.reset_zone),
}


module = HttpModule(
    name="api",
    main=MainConf,
    location=LocationConf,
    directives=(Directive("api", LOCATION, take(0, 1), set_api),),
    prepare=prepare,
    plan=plan,
)
