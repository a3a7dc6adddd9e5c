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
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, unquote, unquote_to_bytes

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
from gateway.modules.http.api import RESOURCES, Call
from gateway.modules.http.api_json import answer, encoded
from gateway.modules.http.dashboard_applications import Applications, is_address
from gateway.modules.http.dashboard_guard import refused
from gateway.modules.http.dashboard_requests import Requests, read_form
from gateway.serving.cycle import LATE_IMPORTS
from gateway.upstream.peers import api_objects
from gateway.upstream.peers.api_objects import ApiError

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.modules.http.request_history import History

_HTML: Final = b"text/html; charset=utf-8"
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
        history: History | None = request.cycle.scope.conf(request_history.module, "main").history
        self.requests: Requests | None = None
        if history is not None and history.ring is not None:
            self.requests = Requests(request, history, settings.replay, self.base)
        self.part = request.head.get(b"x-part") is not None

    def show(self, applications: dict[str, Any]) -> Work[Result]:
        if self.bare:
            self.request.response.location = self.base.encode("utf-8", "surrogateescape")
            return 301
        if self.path == "":
            overview = yield from self._overview(applications)
            return self._answer("overview", overview, live=self.base)
        if self.path == "configuration":
            shown = yield from self._configuration()
            return self._answer("configuration", shown, live="")
        if self.path == "events":
            found = dashboard_events.listed(dashboard_certificates.listed(self.request.cycle))
            return self._answer("events", dashboard_events.shown(found), live=f"{self.base}events")
        if self.path == "data.json":
            data = yield from self.data()
            text = yield from encoded(data)
            return self._data(text, b"application/json")
        if self.path == "data.csv":
            data = yield from self.data()
            text = yield from page.as_csv(data)
            return self._data(text, b"text/csv")
        if self.requests is not None and self.path == "requests":
            asked = parse_qs(to_str(self.request.args))
            wanted = asked.get("q", [""])[0]
            live = f"{self.base}requests?{to_str(self.request.args)}" if wanted else f"{self.base}requests"
            shown = yield from self.requests.found(wanted, part=self.part)
            return self._answer("requests", shown, live=live)
        if self.requests is not None and self.path.startswith("requests/"):
            entry, later = yield from self.requests.find(unquote(self.path[9:]))
            if entry is not None:
                return self._answer("request", self.requests.one(entry, later), live="")
        return 404

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
        parts.append(dashboard_events.shown(data["events"], all_at=f"{self.base}events"))
        failures: dict[str, str] = {}
        if self.requests is not None:
            failures = yield from self.requests.failures()
        for name, upstream in data["upstreams"].items():
            form = functools.partial(self._form, name) if self.settings.write else None
            shown = yield from page.upstream(name, upstream, failures, form)
            parts.append(shown)
            if name in applications:
                parts.append(page.application(name, applications.pop(name)))
        parts += [page.application(name, found) for name, found in applications.items()]  # of upstreams without a zone
        if data["server_zones"]:
            shown = yield from page.zones("servers", data["server_zones"])
            parts.append(shown)
        if data["location_zones"]:
            shown = yield from page.zones("locations", data["location_zones"])
            parts.append(shown)
        limits = {**data["limit_reqs"], **data["limit_conns"]}
        if limits:
            parts.append(page.limits(limits))
        if data["caches"]:
            parts.append(page.caches(data["caches"]))
        if data["certificates"]:
            parts.append(dashboard_certificates.shown(data["certificates"]))
        parts.append(page.workers(data["workers"]))
        return "".join(parts)

    def _configuration(self) -> Work[str]:
        matched: dict[str, int] = {}
        kept = 0
        for kept, entry in enumerate(self.requests.all() if self.requests is not None else (), 1):
            if kept % _PORTION == 0:
                yield
            where = str(entry.get("location", "")).rpartition("(")[2].removesuffix(")")
            matched[where] = matched.get(where, 0) + 1
        return dashboard_tree.configuration(self.request.cycle.scope.statements, matched, kept)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _form(self, name: str, id: int, state: str) -> str:
        """Buttons for one peer."""
        offered = ("up",) if state in ("down", "draining") else ("drain", "down")
        key = page.text(f"{name}/{id}")
        buttons = " ".join(f'<button name="to" value="{to}" data-key="{key}/{to}">{to}</button>' for to in offered)
        return (
            f'<form class="in" method="post" action="{page.text(self.base)}">'
            f'<input type="hidden" name="upstream" value="{quote(to_bytes(name))}">'
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
    request.response.location = dashboard.base.encode("utf-8", "surrogateescape")
    return 303


module = HttpModule(
    name="dashboard",
    location=LocationConf,
    directives=(Directive("dashboard", LOCATION, at_least(0), set_dashboard),),
    plan=plan,
)
