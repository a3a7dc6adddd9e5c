"""The dashboard's tables of the API's objects; test_dashboard.py asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.turns import at_once
from gateway.modules.http import dashboard_tables as tables
from gateway.modules.http.dashboard_listings import Asked, Listing, few, whole

HOSTILE = "<img src=x onerror=alert(1)>"


def peer(number: int, state: str = "up", **more: Any) -> dict[str, Any]:
    found = {
        "id": number, "server": f"127.0.0.1:{number}", "name": HOSTILE, "backup": False, "state": state, "weight": 1,
        "active": 2, "requests": 3, "responses": {"4xx": 4, "5xx": 5}, "fails": 6, "header_time": 7, "response_time": 8,
        "health_checks": {"checks": 0, "fails": 0},
    }  # fmt: skip
    return {**found, **more}


def shown(listing: Listing, words: str = "") -> str:
    return at_once(whole(listing, Asked(words=words), "/gw/"))


def test_names_are_escaped() -> None:
    zone = {"requests": 1, "responses": dict.fromkeys(("2xx", "3xx", "4xx", "5xx"), 1), "discarded": 0}
    sums = {"peers": 2, "up": 1, "active": 0, "requests": 0, "5xx": 0, "fails": 0}
    for listing in (
        tables.zones("servers", {HOSTILE: {**zone, "received": 1, "sent": 2}}),
        tables.limits({HOSTILE: {"passed": 1}}), tables.caches({HOSTILE: {"size": 1}}),
        tables.upstreams({HOSTILE: sums}, "/gw/"),
        tables.peers(HOSTILE, lambda: {"peers": [peer(1)], "keepalive": 0}, {"127.0.0.1:1": HOSTILE}, None),
    ):  # fmt: skip
        page = shown(listing)
        assert HOSTILE not in page and "&lt;img src=x" in page
        assert HOSTILE not in at_once(few(listing, "/gw/"))[0]


@pytest.mark.parametrize("state", [*tables.STATES, "<new>"])
def test_a_state_is_found_by_its_word(state: str) -> None:
    found = [peer(1), peer(2, state), peer(3)]
    listing = tables.peers("app", lambda: {"peers": iter(found), "keepalive": 0}, {}, None)
    assert "127.0.0.1:2<" in shown(listing, state)
    part, _ = at_once(few(listing, "/gw/"))
    assert part.count("<tr>") == 4


def test_of_many_peers_those_that_are_not_up_stand_first() -> None:
    found = [peer(number, "down" if number in (70, 90) else "up", max_conns=9) for number in range(100)]
    queue = {"size": 1, "max_size": 2, "overflows": 3}
    told = {"peers": found, "keepalive": 4, "queue": queue}
    listing = tables.peers("app", lambda: told, {"127.0.0.1:70": "it broke"}, lambda id, state: f"[{id} {state}]")
    part, count = at_once(few(listing, "/gw/"))
    assert count == tables.FEW_PEERS
    assert "100 peers, 4 connections kept; queue 1 of 2, 3 turned away; 20 of 100, those that are not up first" in part
    assert part.index("[70 down]") < part.index("[90 down]") < part.index("[0 up]") and "[18 up]" not in part
    assert "it broke" in part and "2 of 9" in part


def test_sums() -> None:
    found = {"peers": iter([peer(1), peer(2, "down"), peer(3, "unavail")])}
    sums = at_once(tables.summed(found))
    assert sums == {"peers": 3, "up": 1, "active": 6, "requests": 9, "5xx": 15, "fails": 18}
    page = shown(tables.upstreams({"app": sums}, "/gw/"))
    assert 'href="/gw/upstreams?of=app"' in page and "▼ 2" in page
    assert "8 of 1,000" in tables.more_upstreams(8, 1000, "/gw/")
