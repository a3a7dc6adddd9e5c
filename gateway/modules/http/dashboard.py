"""dashboard: pages below a location that show what the API shows, and the last requests; gateway's own.

    dashboard [write=on | off] [replay=on | off] [app=UPSTREAM=ADDRESS]...;

It reads without JavaScript; with it the parts are looked at anew each second. The requests are those that
request_history keeps. `write=on` lets peers be drained and switched off, and `replay=on` a request be sent again, by
forms of the page alone: whatever another site sends (Origin, Sec-Fetch-Site) is refused. `app=` names the stats socket
of the uWSGI behind an upstream, or after `gunicorn:` the control socket of gunicorn, whose workers are shown beside it.
Nobody is let in or kept out here: allow, deny and auth_basic do that.
"""

from __future__ import annotations

import base64
import functools
import os
import re
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, unquote_to_bytes

from gateway.config.conf import Conf, setting
from gateway.config.directive import LOCATION, Command, Directive, at_least
from gateway.config.text import to_bytes, to_str
from gateway.core.lane import in_trio
from gateway.core.turns import Work, in_turns
from gateway.http.module import NOTHING, Contribution, HttpModule, Result
from gateway.http.setters import answers
from gateway.modules.http import (
    dashboard_certificates,
    dashboard_events,
    dashboard_tree,
    request_history,
)
from gateway.modules.http import dashboard_page as page
from gateway.modules.http import dashboard_tables as tables
from gateway.modules.http.api import RESOURCES, Call
from gateway.modules.http.api_json import answer, encoded
from gateway.modules.http.dashboard_applications import Applications, is_address
from gateway.modules.http.dashboard_guard import asked_for, refused
from gateway.modules.http.dashboard_listings import Asked, Listing, few, quoted, search, whole
from gateway.modules.http.dashboard_long import TITLES
from gateway.modules.http.dashboard_requests import Requests, read_form
from gateway.serving.cycle import CONF_FILE, LATE_IMPORTS
from gateway.upstream.peers import api_objects
from gateway.upstream.peers.api_objects import ApiError

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.modules.http.request_history import History

_HTML: Final = b"text/html; charset=utf-8"
# What the overview has room for: upstreams, and rows of their peers, each with buttons; of a configuration, blocks.
_MOST_UPSTREAMS: Final = 8
_MOST_PEERS: Final = 40
_FEWEST_PEERS: Final = 3
_MOST_BLOCKS: Final = 60
_PAGE_OF_PEERS: Final = re.compile(rb"upstreams\?[!-~]*")
_PORTION: Final = 50  # records of requests that are read in one turn
_CHANGES: Final[dict[str, dict[str, Any]]] = {
    "drain": {"drain": True}, "down": {"down": True}, "up": {"down": False, "drain": False},
}  # fmt: skip


@dataclass(slots=True)
class LocationConf(Conf):
    enabled: bool = setting(False, inherit=False)
    write: bool = setting(False, inherit=False)
    replay: bytes = setting(b"", inherit=False)  # what its forms are signed with
    apps: Applications | None = setting(None, inherit=False)
    explain: tuple[str, ...] = setting((), inherit=False)  # what asks this configuration, wherever it is typed


def set_dashboard(conf: LocationConf, command: Command) -> None:
    if conf.enabled:
        command.duplicate()
    conf.enabled = True
    answers(conf, command)
    page.frame()
    command.loader.parts.get(LATE_IMPORTS).add("encodings.idna")  # looking up an address asks for it
    apps: dict[str, str] = {}
    for word in command.args:
        name, _, value = word.partition("=")
        upstream, sign, address = value.partition("=")
        if word in ("write=on", "write=off"):
            conf.write = value == "on"
        elif word in ("replay=on", "replay=off"):
            conf.replay = os.urandom(32) if value == "on" else b""
        elif name == "app" and sign and upstream and address:
            if not is_address(address):
                command.fail(f'invalid address "{address}" in "{word}": unix:PATH or HOST:PORT of a stats socket')
            apps[upstream] = address
        else:
            command.fail(f'invalid parameter "{word}"')
    conf.apps = Applications(apps) if apps else None
    file = command.loader.parts.get(CONF_FILE) or "nginx.conf"
    conf.explain = ("gateway", "explain", "-p", command.loader.prefix or "./", "-c", file)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.enabled:
        return NOTHING

    def handle(request: Request) -> Result | Awaitable[Result]:
        request_history.forget(request)  # who looks on is not looked at
        reason = refused(request)
        if reason is not None:
            request.log("error", reason)
            return request.discard_body() or request.respond(403, to_bytes(reason) + b"\n", b"text/plain")
        if request.method in (b"GET", b"HEAD"):
            wrong = request.discard_body()
            if wrong:
                return wrong
            dashboard = Dashboard(request, settings)
            if settings.apps and dashboard.path == "":
                return dashboard.show_with_apps()
            return in_turns(dashboard.show({}))
        if request.method == b"POST":
            dashboard = Dashboard(request, settings)
            if settings.replay and dashboard.path.startswith("requests/"):
                return dashboard.replay()
            return _change(request, settings)
        return 405

    return Contribution(content=handle)


class Dashboard:
    """One request for one of the pages."""

    def __init__(self, request: Request, settings: LocationConf) -> None:
        self.request = request
        self.settings = settings
        location = request.location
        name = location.name if location.regex is None else b"/"
        self.base = to_str(name.rstrip(b"/")) + "/"
        uri = to_str(request.uri)
        self.bare = uri + "/" == self.base
        self.path = uri[len(self.base) :] if uri.startswith(self.base) else ""
        self.call = Call(request, False, None)
        self.asked = Asked.read(request.args)
        history: History | None = request.cycle.scope.conf(request_history.module, "main").history
        self.requests: Requests | None = None
        if history is not None and history.ring is not None:
            self.requests = Requests(request, history, settings.replay, self.base, settings.explain)
        self.part = request.head.get(b"x-part") is not None

    def show(self, applications: dict[str, Any]) -> Work[Result]:
        if self.bare:
            self.request.response.location = self.base.encode("utf-8", "surrogateescape")
            return 301
        if self.path == "":
            overview = yield from self._overview(applications)
            return self._answer("overview", overview, live=self.base)
        if self.path == dashboard_tree.PATH:
            return (yield from self._configuration())
        if self.path == "data.json":
            data = yield from self.data()
            text = yield from encoded(data)
            return self._data(text, b"application/json")
        if self.path == "data.csv":
            data = yield from self.data()
            text = yield from page.as_csv(data)
            return self._data(text, b"text/csv")
        if self.requests is not None and self.path == "requests":
            shown = yield from self.requests.found(self.asked, part=self.part)
            return self._answer("requests", shown, live=self.requests.address(self.asked))
        if self.requests is not None and self.path.startswith("requests/"):
            id = unquote(self.path[9:])
            entry, later = yield from self.requests.find(id)
            if entry is not None:
                long = self.asked.of in TITLES
                shown = self.requests.whole(entry, self.asked) if long else self.requests.one(entry, later)
                return self._answer("request", shown, live="")
            return self._answer("request", self.requests.gone(id), live="", status=404)
        listing = yield from self._listing()
        return 404 if listing is None else (yield from self._listed(listing))

    async def replay(self) -> Result:
        """A form of a request's page."""
        if self.requests is None:
            return 403
        said = await self.requests.replay(unquote(self.path[9:]))
        if isinstance(said, int):
            return said
        if said.location:
            self.request.response.location = said.location.encode("utf-8", "surrogateescape")
            return said.status
        return self._answer(said.here, said.body, live="", status=said.status)

    async def show_with_apps(self) -> Result:
        """The same, with what the applications say of their workers."""
        await in_trio()
        assert self.settings.apps is not None
        shown = in_turns(self.show(await self.settings.apps.told()))
        return await shown if isinstance(shown, Awaitable) else shown

    def _answer(self, here: str, body: str, live: str, status: int = 200) -> Result:
        fields = self.request.response.fields
        fields.append((b"Cache-Control", b"no-store"))
        fields.append((b"X-Content-Type-Options", b"nosniff"))
        if self.part:
            return self.request.respond(status, body.encode("utf-8", "replace"), _HTML)
        nonce = base64.b64encode(os.urandom(16)).decode()
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        fields.append((b"Content-Security-Policy", policy.encode()))
        fields.append((b"Referrer-Policy", b"same-origin"))  # with less a form of the page has no Origin
        title = f"{here} - gateway on {to_str(self.request.host)}"
        whole = page.page(
            title, body, base=self.base, nonce=nonce, live=live, here=here, requests=self.requests is not None
        )  # fmt: skip
        return self.request.respond(status, whole, _HTML)

    def _data(self, pieces: list[bytes], kind: bytes) -> Result:
        self.request.response.fields.append((b"Cache-Control", b"no-store"))
        return answer(self.request, 200, pieces, kind)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def data(self) -> Work[dict[str, Any]]:
        """What the overview shows, in the API's objects."""
        call = self.call
        upstreams = yield from call.upstreams("http", [])
        zones: dict[str, Any] = {}
        for name in ("server_zones", "location_zones", "limit_reqs", "limit_conns", "caches"):
            zones[name] = yield from RESOURCES[f"http/{name}"].shown(call)
        certificates = dashboard_certificates.listed(self.request.cycle)
        return {
            "nginx": call.nginx(),
            "connections": call.connections(),
            "requests": call.requests(),
            "workers": list(call.workers().values()),
            "upstreams": upstreams,
            "certificates": certificates,
            "events": dashboard_events.listed(certificates),
            **zones,
        }

    def _overview(self, applications: dict[str, Any]) -> Work[str]:
        data = yield from self.data()
        parts = [page.overview(data["nginx"], data["connections"], data["requests"], data["workers"])]
        shown, _ = yield from few(dashboard_events.listing(data["events"]), self.base)
        parts.append(shown)
        parts += yield from self._upstreams(data["upstreams"], applications)
        parts += [page.application(name, found) for name, found in applications.items()]  # of upstreams without a zone
        listings = [tables.zones(name, data[f"{name[:-1]}_zones"]) for name in ("servers", "locations")]
        listings.append(tables.limits({**data["limit_reqs"], **data["limit_conns"]}))
        listings.append(tables.caches(data["caches"]))
        listings.append(dashboard_certificates.listing(data["certificates"]))
        listings.append(tables.workers(data["workers"]))
        for listing in listings:
            shown, count = yield from few(listing, self.base)
            if count:
                parts.append(shown)
        return "".join(parts)

    def _upstreams(self, found: dict[str, Any], applications: dict[str, Any]) -> Work[list[str]]:
        """Their parts, and those of the applications behind them; of many those that have peers which are not up."""
        parts: list[str] = []
        names = list(found)
        if len(names) > _MOST_UPSTREAMS:
            sums = yield from self._sums(found)
            names.sort(key=lambda name: sums[name]["up"] - sums[name]["peers"])  # in their order where all are up
            names = names[:_MOST_UPSTREAMS]
            parts.append(tables.more_upstreams(len(names), len(sums), self.base))
        failures: dict[str, str] = {}
        if self.requests is not None and names:
            failures = yield from self.requests.failures()
        left = _MOST_PEERS
        for name in names:
            peers = replace(self._peers(name, failures), few=min(tables.FEW_PEERS, max(left, _FEWEST_PEERS)))
            shown, count = yield from few(peers, self.base)
            left -= count
            parts.append(shown)
            if name in applications:
                parts.append(page.application(name, applications.pop(name)))
        return parts

    def _sums(self, found: dict[str, Any]) -> Work[dict[str, Any]]:
        sums: dict[str, Any] = {}
        for number, (name, each) in enumerate(found.items(), 1):
            sums[name] = yield from tables.summed(each)
            if number % _PORTION == 0:
                yield
        return sums

    def _peers(self, name: str, failures: dict[str, str]) -> Listing:
        upstream = self.call.zoned("http")[name]
        now = int(self.request.connection.lane.now)
        change = functools.partial(self._form, name) if self.settings.write else None
        return tables.peers(name, functools.partial(api_objects.describe, upstream, now), failures, change)

    def _listing(self) -> Work[Listing | None]:
        """The table of a page of its own; None where there is none."""
        call, path = self.call, self.path
        if path in ("servers", "locations"):
            return tables.zones(path, (yield from RESOURCES[f"http/{path[:-1]}_zones"].shown(call)))
        if path == "limits":
            return tables.limits({**call.limit_reqs(), **call.limit_conns()})
        if path == "caches":
            return tables.caches(call.caches())
        if path == "workers":
            return tables.workers(list(call.workers().values()))
        if path == "certificates":
            return dashboard_certificates.listing(dashboard_certificates.listed(self.request.cycle))
        if path == "events":
            certificates = dashboard_certificates.listed(self.request.cycle)
            return dashboard_events.listing(dashboard_events.listed(certificates))
        if path != tables.PEERS:
            return None
        if self.asked.of:
            if self.asked.of not in call.zoned("http"):
                return None
            failures = {} if self.requests is None else (yield from self.requests.failures())
            return self._peers(self.asked.of, failures)
        found = yield from call.upstreams("http", [])
        return tables.upstreams((yield from self._sums(found)), self.base)

    def _listed(self, listing: Listing) -> Work[Result]:
        shown = yield from whole(listing, self.asked, self.base)
        if not self.part:
            shown = search(listing, self.asked, self.base) + shown
        return self._answer(self.path, shown, live=listing.address(self.base, self.asked, self.asked.page))

    def _configuration(self) -> Work[Result]:
        matched: dict[str, int] = {}
        kept = 0
        for kept, entry in enumerate(self.requests.all() if self.requests is not None else (), 1):
            if kept % _PORTION == 0:
                yield
            where = str(entry.get("location", "")).rpartition("(")[2].removesuffix(")")
            matched[where] = matched.get(where, 0) + 1
        listings = dashboard_tree.listings(self.request.cycle.scope.statements, matched, kept)
        if self.asked.of:
            for listing in listings:
                if listing.of == self.asked.of:
                    return (yield from self._listed(replace(listing, id="configuration")))
            return 404
        parts = [dashboard_tree.HEAD]
        left = _MOST_BLOCKS
        for listing in listings[:_MOST_UPSTREAMS]:
            shown, count = yield from few(replace(listing, few=max(left, _FEWEST_PEERS)), self.base)
            left -= count
            parts.append(shown)
        parts += dashboard_tree.others(listings[_MOST_UPSTREAMS:], self.base)
        return self._answer("configuration", "".join(parts), live="")

    # -- changes -----------------------------------------------------------------------------------------------------

    def _form(self, name: str, id: int, state: str) -> str:
        """Buttons for one peer."""
        offered = ("up",) if state in ("down", "draining") else ("drain", "down")
        key = page.text(f"{name}/{id}")
        buttons = " ".join(f'<button name="to" value="{to}" data-key="{key}/{to}">{to}</button>' for to in offered)
        return (
            f'<form class="in" method="post" action="{page.text(self.base)}">'
            f'<input type="hidden" name="upstream" value="{quoted(name)}">'
            f'<input type="hidden" name="id" value="{id}">'
            f"{buttons}</form>"
        )


async def _change(request: Request, settings: LocationConf) -> Result:
    """A form of the page: a peer is drained, switched off, or used again."""
    if not settings.write or request.head.get(b"origin") is None:
        return 405 if not settings.write else 403
    form = await read_form(request)
    if isinstance(form, int):
        return form
    dashboard = Dashboard(request, settings)
    wanted = _CHANGES.get(form.get("to", ""))
    name = to_str(unquote_to_bytes(form.get("upstream", "")))  # with whatever bytes it was written
    upstream = dashboard.call.zoned("http").get(name)
    if wanted is None or upstream is None or upstream.shared is None:
        return 400
    try:
        peer = api_objects.find(upstream.shared, form.get("id", ""))
        api_objects.change(upstream, peer, dict(wanted), dashboard_events.by_whom(request, "the dashboard"))
    except ApiError as error:
        return error.status
    dashboard.call.save(upstream)
    request.response.location = _back(request, to_bytes(dashboard.base))
    return 303


def _back(request: Request, base: bytes) -> bytes:
    """Where the form stands: the overview, or a page of peers."""
    own = b"%b://%b%b" % (request.connection.scheme, asked_for(request), base)
    referer = request.head.get(b"referer") or b""
    rest = referer.removeprefix(own)
    return base + rest if referer.startswith(own) and _PAGE_OF_PEERS.fullmatch(rest) else base


module = HttpModule(
    name="dashboard",
    location=LocationConf,
    directives=(Directive("dashboard", LOCATION, at_least(0), set_dashboard),),
    plan=plan,
)
