from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.core.zones import Zone
from gateway.modules.http import status_zone
from gateway.modules.http.status_zone import Table
from tests.engine import Engine, load_http, serving

CONF = """
    server {
        listen 127.0.0.1:8080; status_zone one;
        location / { status_zone all; return 200 "hello";
            location /off { status_zone off; return 204; }
            location /inner { return 404; }
        }
        location /to { rewrite ^ /inner; }
        location /close { status_zone closed; return 444; }
        location /api { api; }
        location /if { status_zone a; if ($arg_x) { status_zone b; return 200; } return 200; }
    }
    server { listen 127.0.0.1:8080; server_name second; status_zone two; return 301 /x; }
    server { listen 127.0.0.1:8080; server_name third; status_zone two; return 200; }
"""


async def shown(engine: Engine, path: str) -> Any:
    return json.loads((await engine.get(f"/api/9/http/{path}")).body)


async def test_counts() -> None:
    async with serving(CONF) as engine:
        for target in ("/", "/x", "/off", "/inner", "/to", "/if", "/if?x=1"):
            await engine.get(target)
        await engine.raw(b"GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
        await engine.get("/", host="second")
        await engine.get("/", host="third")
        locations = await shown(engine, "location_zones")
        assert {name: zone["requests"] for name, zone in locations.items()} == {"all": 4, "closed": 1, "a": 1, "b": 1}
        assert locations["all"]["responses"] == {
            "1xx": 0, "2xx": 2, "3xx": 0, "4xx": 2, "5xx": 0, "total": 4,
            "codes": {"200": 2, "404": 2},
        }
        assert (locations["closed"]["discarded"], locations["closed"]["responses"]["total"]) == (1, 0)
        assert "processing" not in locations["all"]
        servers = await shown(engine, "server_zones")
        assert servers["two"]["responses"]["3xx"] == servers["two"]["responses"]["2xx"] == 1
        # the request that asks is under way; the one before it has ended
        assert (servers["one"]["processing"], servers["one"]["requests"]) == (1, 9)
        assert (servers["two"]["processing"], servers["two"]["requests"]) == (0, 2)
        assert servers["two"]["received"] > 2 * 30 and servers["two"]["sent"] > 2 * 100
        assert await shown(engine, "server_zones/two") == servers["two"]
        assert (await engine.get("/api/9/http/server_zones/none")).status == 404
        assert await shown(engine, "location_zones/all?fields=requests") == {"requests": 4}


def test_a_reload_goes_on_counting() -> None:
    def mapped(names: list[str], old: Zone | None = None) -> tuple[Table, Zone]:
        table = Table()
        for name in names:
            table.get("server", name)
        zone = Zone(status_zone.ZONE, table.size, "status_zone", reuse=False)
        table.declare(zone)
        zone.map(old, 2)
        return table, zone

    first, zone = mapped(["a", "b"])
    old = first.get("server", "b").zone
    for _ in range(7):
        old.begins()
        old.ended(200, 1, 1, 3)
    second, _ = mapped(["b", "c"], zone)
    assert {name: (found["processing"], found["requests"]) for name, found in second.show("server")} == {
        "b": (0, 7),
        "c": (0, 0),
    }
    # what has begun before the reload ends in the old workers
    old.ended(200, 1, 1, 3)
    assert dict(second.show("server"))["b"]["requests"] == 8
    second.reset("server", "b")
    assert dict(second.show("server"))["b"]["responses"]["total"] == 0


def test_each_worker_counts_for_itself() -> None:
    table = Table()
    counts = [table.get("server", "a"), table.get("location", "a")]
    zone = Zone(status_zone.ZONE, table.size, "status_zone", reuse=False)
    table.declare(zone)
    zone.map(None, 3)
    for worker in (0, 1, 2, 1):  # 1 died, and another one has come in its place
        for number, each in enumerate(counts):
            each.use(worker)
            each.zone.begins()
            for status in (200, 404, 0)[: worker + 1]:
                each.zone.ended(status, 10, 100 + number, 2)
    first, second = counts[0].show(), counts[1].show()
    assert (first["processing"], first["requests"], first["discarded"]) == (3, 8, 1)
    assert (first["received"], first["sent"], second["sent"]) == (80, 700, 707)
    assert first["responses"]["codes"] == {"200": 4, "404": 3}
    assert counts[0].times()[0].counts[0] == 8 and counts[0].times()[0].sum_s == 0.016
    table.reset("server", "a")
    cleared = counts[0].show()
    assert (cleared["processing"], cleared["requests"], cleared["responses"]["codes"]) == (3, 0, {})
    assert counts[1].show() == second
    counts[0].zone.ended(500, 1, 1, 2)
    assert counts[0].show()["responses"]["codes"] == {"500": 1}


@pytest.mark.parametrize(
    ("lines", "words"),
    [('status_zone "";', 'invalid zone name ""'), ("status_zone a; status_zone b;", "is duplicate")],
)
def test_refused(lines: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"server {{ listen 127.0.0.1:8080; {lines} }}")
    assert words in str(caught.value)
