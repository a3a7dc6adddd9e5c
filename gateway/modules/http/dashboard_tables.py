"""What the dashboard's tables show of the API's objects: zones, upstreams and their peers, limits, caches, workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from gateway.core.turns import PORTION, Work
from gateway.modules.http.dashboard_listings import Listing, quoted
from gateway.modules.http.dashboard_page import cell, failed, number, part, raw, size, text

# A state is a word and a sign; colour only goes with them.
STATES: Final = {
    "up": ("good", "▲ up"), "draining": ("warn", "◆ draining"), "down": ("warn", "■ down"),
    "unavail": ("bad", "▼ unavailable"), "checking": ("warn", "◇ checking"), "unhealthy": ("bad", "▼ unhealthy"),
}  # fmt: skip
PEERS: Final = "upstreams"
# Of an upstream on the overview, and of a page, where each may have buttons.
FEW_PEERS: Final = 20
_MOST_PEERS: Final = 60
_ZONE: Final = ["zone", "#requests", "#2xx", "#3xx", "#4xx", "#5xx", "#no answer", "#received", "#sent"]
_LIMIT: Final = ["zone", "#passed", "#delayed", "#rejected", "#delayed dry", "#rejected dry"]
_COUNTED: Final = ("passed", "delayed", "rejected", "delayed_dry_run", "rejected_dry_run")
_WORKER: Final = ["#worker", "#pid", "#active", "#idle", "#accepted", "#requests", "#under way"]
_UPSTREAM: Final = ["upstream", "#peers", "#up", "#not up", "#active", "#requests", "#5xx", "#fails"]
_PEER: Final = [
    "peer", "state", "#weight", "#active", "#requests", "#4xx", "#5xx", "#fails", "#header ms", "#answer ms",
    "checks", "why, or the last failure",
]  # fmt: skip

Named = tuple[str, dict[str, Any]]
Change = Callable[[int, str], str]


def _named(item: Named) -> str:
    return item[0]


def zones(title: str, found: dict[str, Any]) -> Listing:
    """`title` is "servers" or "locations"."""

    def row(item: Named) -> list[str]:
        name, zone = item
        return [
            cell(name), number(zone["requests"]),
            *(failed(zone["responses"][f"{code}xx"], code) for code in (2, 3, 4, 5)),
            number(zone["discarded"]), number(size(zone["received"])), number(size(zone["sent"])),
        ]  # fmt: skip

    return Listing(
        title, title, lambda _: f"{title} since the start", _ZONE, found.items, _named, row,
        rank=lambda item: item[1]["requests"], ranked=", those with most requests",
    )  # fmt: skip


def limits(found: dict[str, Any]) -> Listing:
    def row(item: Named) -> list[str]:
        return [cell(item[0]), *(number(item[1].get(key, "")) for key in _COUNTED)]

    return Listing(
        "limits", "limits", lambda _: "limit_req and limit_conn", _LIMIT, found.items, _named, row,
        rank=lambda item: item[1].get("rejected", 0), ranked=", those that rejected most",
    )  # fmt: skip


def caches(found: dict[str, Any]) -> Listing:
    def row(item: Named) -> list[str]:
        most = item[1].get("max_size")
        return [cell(item[0]), number(size(item[1]["size"])), number(size(most) if most else "no limit")]

    columns = ["cache", "#size", "#at most"]
    return Listing("caches", "caches", lambda _: "what they hold", columns, found.items, _named, row)


def workers(found: list[Any]) -> Listing:
    def row(worker: dict[str, Any]) -> list[str]:
        connections, requests = worker["connections"], worker["http"]["requests"]
        return [
            number(worker["id"]), number(str(worker["pid"])), number(connections["active"]),
            number(connections["idle"]), number(connections["accepted"]), number(requests["total"]),
            number(requests["current"]),
        ]  # fmt: skip

    def words(worker: dict[str, Any]) -> str:
        return f"{worker['id']} {worker['pid']}"

    return Listing("workers", "workers", lambda _: "the server's processes", _WORKER, lambda: found, words, row)


# -- upstreams ---------------------------------------------------------------------------------------------------------


def summed(found: dict[str, Any]) -> Work[dict[str, Any]]:
    """An upstream's peers as numbers."""
    sums = dict.fromkeys(("peers", "up", "active", "requests", "5xx", "fails"), 0)
    for count, peer in enumerate(found["peers"], 1):
        sums["peers"] = count
        sums["up"] += peer["state"] == "up"
        sums["5xx"] += peer["responses"]["5xx"]
        for key in ("active", "requests", "fails"):
            sums[key] += peer[key]
        if count % PORTION == 0:
            yield
    return sums


def upstreams(found: dict[str, dict[str, Any]], base: str) -> Listing:
    """All of them, by their sums."""

    def row(item: Named) -> list[str]:
        name, sums = item
        link = f"{base}{PEERS}?{urlencode({'of': quoted(name)})}"
        down = sums["peers"] - sums["up"]
        return [
            raw(f'<a href="{text(link)}" data-key="{text(link)}">{text(name)}</a>'), number(sums["peers"]),
            number(sums["up"]), f'<td class="n warn">▼ {down:,}</td>' if down else number(0),
            number(sums["active"]), number(sums["requests"]), failed(sums["5xx"], 5), number(sums["fails"]),
        ]  # fmt: skip

    return Listing(PEERS, PEERS, lambda _: "upstreams with a zone", _UPSTREAM, found.items, _named, row)


def more_upstreams(shown: int, count: int, base: str) -> str:
    """The part that stands before those for which the overview has room."""
    said = f"{shown} of {count:,}, those with peers that are not up first"
    link = f'<a href="{text(base + PEERS)}" data-key="{PEERS}">all {count:,} upstreams</a>'
    return part(PEERS, PEERS, f'<p class="soft">{said}</p><p>{link}</p>')


def peers(
    name: str, describe: Callable[[], dict[str, Any]], why: Mapping[str, str], change: Change | None
) -> Listing:
    """Those of one upstream, which `describe` shows anew; `change` makes the buttons that switch one."""

    def items() -> Iterator[dict[str, Any]]:
        return iter(describe()["peers"])

    def words(peer: dict[str, Any]) -> str:
        return f"{peer['server']} {peer['name']} {peer['state']} {STATES.get(peer['state'], ('', ''))[1]}"

    def row(peer: dict[str, Any]) -> list[str]:
        return _peer(peer, why, change)

    def caption(count: int) -> str:
        told = describe()
        said = f"{count:,} peer{'' if count == 1 else 's'}, {told['keepalive']} connections kept"
        queue = told.get("queue")
        if queue:
            said += f"; queue {queue['size']} of {queue['max_size']}, {queue['overflows']} turned away"
        return said

    columns = _PEER if change is None else [*_PEER, "change"]
    return Listing(
        PEERS, f"upstream {name}", caption, columns, items, words, row, of=name, id=f"upstream-{name}",
        few=FEW_PEERS, most=_MOST_PEERS, rank=lambda peer: peer["state"] != "up",
        ranked=", those that are not up first",
    )  # fmt: skip


def _peer(peer: dict[str, Any], why: Mapping[str, str], change: Change | None) -> list[str]:
    kind, state = STATES.get(peer["state"], ("", peer["state"]))
    checks = peer["health_checks"]
    shown = "none"
    if checks["checks"]:
        shown = (
            f"{'✓ passed' if checks.get('last_passed') else '✗ failed'}, {checks['fails']} of {checks['checks']} failed"
        )
    limit = f" of {peer['max_conns']}" if peer.get("max_conns") else ""
    row = [
        cell(peer["server"] + (" backup" if peer["backup"] else "")), cell(state, kind), number(peer["weight"]),
        number(f"{peer['active']}{limit}"), number(peer["requests"]),
        failed(peer["responses"]["4xx"], 4), failed(peer["responses"]["5xx"], 5), number(peer["fails"]),
        number(peer["header_time"]), number(peer["response_time"]), cell(shown),
        cell(why.get(peer["server"], ""), "long"),
    ]  # fmt: skip
    if change is not None:
        row.append(raw(change(peer["id"], peer["state"])))
    return row
