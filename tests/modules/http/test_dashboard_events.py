"""What happened lately, on the dashboard and in the API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest

from gateway.core import event_log
from gateway.core.turns import at_once
from gateway.modules.http import api, dashboard_events
from gateway.modules.http.dashboard_listings import Asked, few, whole
from gateway.modules.http.limit_conn import Full
from tests.engine import Engine, serving

HOSTILE = "<img src=x onerror=alert(1)>"
CONF = """
    limit_conn_zone $arg_c zone=conns:32k;
    upstream app { zone app 64k; server 127.0.0.1:1 max_fails=2; server 127.0.0.1:2; }
    upstream "<img src=x onerror=alert(1)>" { zone evil 64k; server 127.0.0.1:1; server 127.0.0.1:2; }
    server {
        listen 127.0.0.1:1;
        location /gw/ { dashboard; }
        location /api/ { api; }
        location /app { proxy_pass http://app; }
        location /evil { proxy_pass "http://<img src=x onerror=alert(1)>"; }
        location /limited { limit_conn conns 1; empty_gif; }
    }
"""


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[event_log.EventLog]:
    """An empty log."""
    event_log.the_events.cache_clear()
    yield event_log.the_events()
    event_log.the_events.cache_clear()


async def _events(engine: Engine) -> list[dict[str, Any]]:
    reply = await engine.get("/api/9/events")
    assert reply.status == 200
    found: list[dict[str, Any]] = json.loads(reply.body)
    return found


class _Cells(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_peers_that_fail() -> None:
    async with serving(CONF) as engine:
        assert await _events(engine) == []
        assert "none yet" in _Cells((await engine.get("/gw/events")).body.decode()).text
        for _ in range(2):
            await engine.get("/app")
        found = await _events(engine)
        page = _Cells((await engine.get("/gw/")).body.decode())
        lists = _Cells((await engine.get("/gw/events")).body.decode())
    assert [(each["kind"], each["object"]) for each in found] == [
        ("peer", "app 127.0.0.1:1"), ("peer", "app 127.0.0.1:2"),
    ]  # fmt: skip
    assert found[0]["text"] == "is left alone for 10 s after 2 failures"
    assert found[1]["text"] == "is left alone for 10 s after 1 failure"
    assert found[0]["cause"] == "111: Connection refused while connecting to upstream"
    assert found[0]["level"] == "warn" and found[0]["time"].endswith("Z")
    for each in (page, lists):
        assert "◆ warn" in each.text and "peer app 127.0.0.1:2" in each.text and found[0]["cause"] in each.text


async def test_names_with_markup() -> None:
    async with serving(CONF) as engine:
        await engine.get("/evil")
        page = _Cells((await engine.get("/gw/events")).body.decode())
        part = (await engine.get("/gw/events", {"X-Part": "1"})).body.decode()
        lines = (await engine.get("/gw/data.csv")).body.decode().splitlines()
        found = await _events(engine)
    assert "img" not in page.tags and HOSTILE in page.text
    assert "<img" not in part and part.startswith('<section id="events" data-part>')
    assert found[0]["object"].startswith(HOSTILE)
    assert any(line.startswith("events,") and "onerror" in line for line in lines)


async def test_a_full_zone_is_told_once() -> None:
    async with serving(CONF) as engine:
        connections = engine.cycle.scope.conf(api.module, "main").zones.get("conns").data
        with pytest.raises(Full):
            for number in range(10_000):
                connections.enter(b"%d" % number, 1)
        for number in range(3):
            assert (await engine.get(f"/limited?c=other{number}")).status == 503
        found = await _events(engine)
    assert [(each["kind"], each["object"], each["level"], each["text"]) for each in found] == [
        ("limit zone", "conns", "alert", "is full"),
    ]  # fmt: skip


def test_ends_of_certificates() -> None:
    """They need nobody to look: the time of the event is when the end came near."""
    now = time.time()

    def one(name: str, days: float | None) -> dict[str, Any]:
        end = None if days is None else int(now + days * 86400)
        return {"certificate": name, "issuer": "CA", "servers": ["a", "a"], "ends": "then", "ends_at": end}

    found = dashboard_events.listed([one("soon", 3), one("good", 40), one("over", -2), one("unknown", None)])
    assert [(each["object"], each["level"], each["text"]) for each in found] == [
        ("over", "error", "has ended: then"),
        ("soon", "warn", "ends soon: then"),
        ("over", "warn", "ends soon: then"),
    ]
    assert found[1]["cause"] == "of a, from CA"


def test_the_overview_shows_a_few(events: event_log.EventLog) -> None:
    for number in range(100):
        events.tell("notice", "worker", str(number), "x")
    found = dashboard_events.listed([])
    part, count = at_once(few(dashboard_events.listing(found), "/gw/"))
    assert (count, part.count("<tr>")) == (8, 9) and 'href="/gw/events"' in part and "all 100: events" in part
    everything = [at_once(whole(dashboard_events.listing(found), Asked(page=page), "/gw/")) for page in (1, 2)]
    assert [each.count("<tr>") for each in everything] == [61, 41]
    for _ in range(300):
        events.tell("notice", "peer", "x" * 120, "y" * 280, "z" * 280)
    assert len(at_once(whole(dashboard_events.listing(dashboard_events.listed([])), Asked(), "/gw/"))) < 70_000


async def test_peers_that_somebody_changes() -> None:
    """Once for each change that is one, with who made it; whatever is refused is no event."""
    async with serving(CONF.replace("api;", "api write=on;").replace("dashboard;", "dashboard write=on;")) as engine:
        path = "/api/9/http/upstreams/app/servers"

        async def call(method: str, path: str, value: Any = None) -> int:
            body = b"" if value is None else json.dumps(value).encode()
            return (await engine.request(method, path, body=body)).status

        for value in ({"drain": True}, {"drain": True}, {"down": True}, {"weight": 5, "route": "a"}, {"down": False}):
            assert await call("PATCH", f"{path}/0", value) == 200
        assert await call("PATCH", f"{path}/0", {"weight": 0}) == 400
        assert await call("PATCH", f"{path}/0", {"server": "127.0.0.1:9"}) == 200
        assert await call("POST", path, {"server": "127.0.0.1:3"}) == 201
        assert await call("DELETE", f"{path}/1") == 200
        form = {"Origin": "http://localhost", "Content-Type": "application/x-www-form-urlencoded"}
        assert (await engine.request("POST", "/gw/", form, body=b"upstream=app&id=0&to=drain")).status == 303
        found = await _events(engine)
    assert [(each["object"], each["text"]) for each in reversed(found)] == [
        ("app 127.0.0.1:1", "is drained"),
        ("app 127.0.0.1:1", "is switched off"),
        ("app 127.0.0.1:1", 'weight: 5, was 1; route: "a", was ""'),
        ("app 127.0.0.1:1", "is used again"),
        ("app 127.0.0.1:1", "is at 127.0.0.1:9 now"),
        ("app 127.0.0.1:3", "was added"),
        ("app 127.0.0.1:2", "was removed"),
        ("app 127.0.0.1:9", "is drained"),
    ]
    assert {each["kind"] for each in found} == {"peer"} and {each["level"] for each in found} == {"notice"}
    assert found[0]["cause"].startswith("by the dashboard, client: ")
    assert all(each["cause"].startswith("by the API, client: ") for each in found[1:])


async def test_some_of_them(events: event_log.EventLog) -> None:
    """Of kinds, and behind an id; a log that began anew is all new."""
    async with serving(CONF) as engine:

        async def ids(query: str) -> list[int]:
            return [each["id"] for each in json.loads((await engine.get(f"/api/9/events?{query}")).body)]

        for kind in ("peer", "worker", "peer", "limit zone"):
            events.tell("notice", kind, "x", "y")
        assert await ids("") == [4, 3, 2, 1]
        assert await ids("kind=peer") == [3, 1]
        assert await ids("kind=peer,worker&after=1") == [3, 2]
        assert await ids("kind=peer&kind=limit%20zone") == [4, 3, 1]
        assert await ids("after=0") == [4, 3, 2, 1]
        assert await ids("after=4") == []
        assert await ids("after=" + "0" * 5000 + "2") == [4, 3]
        for after in ("5", "9" * 5000):
            assert await ids(f"after={after}") == [4, 3, 2, 1]
        refused = (("kind=peers", '"peers", not one of: peer'), ("after=x", '"x"'), ("after=²", '"²"'), ("kind=", '""'))
        for query, word in refused:
            reply = await engine.get(f"/api/9/events?{quote(query, safe='=')}")
            assert reply.status == 400 and word in json.loads(reply.body)["error"]["text"]


async def test_a_certificate_that_ends_is_behind_no_event(events: event_log.EventLog) -> None:
    found = [{
        "certificate": "a.pem", "servers": ["a"], "issuer": "b", "ends": "then", "ends_at": time.time() - 5,
    }]  # fmt: skip
    events.tell("notice", "peer", "x", "y")
    assert {each["kind"] for each in dashboard_events.listed(found)} == {"peer", "certificate"}
    assert {each["kind"] for each in dashboard_events.listed(found, ("certificate",))} == {"certificate"}
    assert dashboard_events.listed(found, (), 1) == []
