from __future__ import annotations

import csv
import io
from typing import Any

from gateway.dev.start_block import Style
from gateway.dev.top_view import View


def data(requests: int, *, state: str = "up", errors: int = 0) -> dict[str, Any]:
    peer = {
        "id": 0, "server": "127.0.0.1:8000", "name": "127.0.0.1:8000", "state": state, "active": 1,
        "requests": requests, "responses": {"4xx": 0, "5xx": errors}, "fails": errors, "response_time": 12,
    }  # fmt: skip
    return {
        "nginx": {"build": "gateway-1", "generation": 2, "load_timestamp": "then"},
        "connections": {"accepted": requests, "dropped": 0, "active": 3, "idle": 4},
        "requests": {"total": requests, "current": 1},
        "workers": [{}, {}],
        "upstreams": {"app": {"peers": [peer]}},
        "server_zones": {"shop": {"requests": requests, "responses": {"2xx": requests, "5xx": errors}, "sent": 9}},
        "location_zones": {},
        "limit_reqs": {"one": {"passed": requests, "delayed": 1, "rejected": 0}},
        "limit_conns": {},
        "caches": {"c": {"size": 4096}},
    }


def test_rates_are_of_the_time_between() -> None:
    view = View(data(30), data(10), 2.0)
    summary = view.summary()
    assert (summary["requests_per_second"], summary["requests"], summary["workers"]) == (10.0, 30, 2)
    tables = {table.title: table.rows for table in view.tables()}
    assert list(tables) == ["upstreams", "servers", "limits", "caches"]
    assert tables["upstreams"] == [("127.0.0.1:8000", "app", "up", 1, 10.0, 30, 0, 0, 0, 12)]
    assert tables["servers"] == [("shop", 10.0, 30, 0, 30, 0, 0, 0, 0, 9)]
    assert tables["limits"] == [("one", 10.0, 30, 1, 0)]


def test_counts_that_begin_again_are_no_negative_rate() -> None:
    view = View(data(3), data(1000), 1.0)
    assert view.summary()["requests_per_second"] == 0
    assert view.tables()[0].rows[0][4] == 0


def test_a_peer_that_came_is_no_rate() -> None:
    assert View(data(30), {}, 1.0).tables()[0].rows[0][4] == 0.0


def test_what_fails_alone() -> None:
    assert View(data(1), data(1), 1.0, failed_only=True).tables() == []
    failing = View(data(1, state="unavail", errors=2), data(1), 1.0, failed_only=True).tables()
    assert [table.title for table in failing] == ["upstreams", "servers"]


def test_text() -> None:
    lines = View(data(30), data(10), 2.0).text(Style(False)).splitlines()
    assert lines[0] == "gateway-1  generation 2 since then"
    assert lines[1].startswith("requests 10.0/s, 30 in all, 1 under way   connections 3 + 4 idle, 10.0/s new")
    assert " ".join(lines[3].split()) == "peer upstream state active requests/s requests 4xx 5xx fails ms"
    assert lines[4].split() == ["127.0.0.1:8000", "app", "up", "1", "10.0", "30", "0", "0", "0", "12"]
    cut = View(data(30), data(10), 2.0).text(Style(False), width=20).splitlines()
    assert max(map(len, cut)) == 20


def test_a_peer_that_is_down_is_red() -> None:
    text = View(data(1, state="down"), data(1), 1.0).text(Style(True))
    assert "\x1b[31m127.0.0.1:8000" in text
    assert "\x1b[31m" not in View(data(1), data(1), 1.0).text(Style(True))


def test_json_and_csv() -> None:
    view = View(data(30), data(10), 2.0)
    found = view.as_json()
    assert found["server"]["requests"] == 30
    assert found["upstreams"][0]["state"] == "up" and found["servers"][0]["requests/s"] == 10.0
    rows = list(csv.reader(io.StringIO(view.as_csv())))
    assert rows[0] == ["table", "name", "figure", "value"]
    assert ["server", "", "requests", "30"] in rows and ["upstreams", "127.0.0.1:8000", "state", "up"] in rows


def test_nothing_at_all() -> None:
    assert View({}, {}, 0).tables() == []
    assert View({}, {}, 0).summary()["requests"] == 0
