"""What `gateway top` shows: tables of figures and of what they were a moment ago."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from gateway.dev.start_block import Style
    from gateway.dev.top_source import Data

_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_UP: Final = frozenset({"up", "checking"})


class Table(NamedTuple):
    """Rows under their columns; the first cell of each is its name."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[object]]


class View:
    """Two looks at a server, `seconds` between them."""

    def __init__(self, now: Data, before: Data, seconds: float, *, failed_only: bool = False) -> None:
        self._now = now
        self._before = before
        self._seconds = max(seconds, 0.001)
        self._failed_only = failed_only

    def _rate(self, *path: str) -> float:
        now, before = _at(self._now, path), _at(self._before, path)
        # A reload or a new server begins to count again.
        return max(now - before, 0) / self._seconds

    def summary(self) -> dict[str, Any]:
        """The figures of the whole server."""
        nginx, connections = self._now.get("nginx", {}), self._now.get("connections", {})
        return {
            "build": nginx.get("build") or nginx.get("version", ""),
            "generation": nginx.get("generation", 0),
            "since": nginx.get("load_timestamp", ""),
            "requests_per_second": round(self._rate("requests", "total"), 1),
            "requests": _at(self._now, ("requests", "total")),
            "under_way": _at(self._now, ("requests", "current")),
            "active": connections.get("active", 0),
            "idle": connections.get("idle", 0),
            "accepted_per_second": round(self._rate("connections", "accepted"), 1),
            "dropped": connections.get("dropped", 0),
            "workers": len(self._now.get("workers", ())),
        }

    def tables(self) -> list[Table]:
        """Upstreams, servers, locations, limits and caches, as far as there are any."""
        made = [
            Table("upstreams", ("peer", "upstream", "state", "active", "requests/s", "requests", "4xx", "5xx", "fails",
                                "ms"), self._peers()),
            Table("servers", _zone_columns("server"), self._zones("server_zones")),
            Table("locations", _zone_columns("location"), self._zones("location_zones")),
            Table("limits", ("limit", "passed/s", "passed", "delayed", "rejected"), self._limits()),
            Table("caches", ("cache", "size", "max"), self._caches()),
        ]  # fmt: skip
        return [table for table in made if table.rows]

    def _peers(self) -> list[Sequence[object]]:
        rows: list[Sequence[object]] = []
        for name, upstream in self._now.get("upstreams", {}).items():
            before = {peer["id"]: peer for peer in _peers_of(self._before, name)}
            for peer in upstream.get("peers", ()):
                if self._failed_only and peer.get("state") in _UP:
                    continue
                requests = peer.get("requests", 0)
                rate = max(requests - before.get(peer["id"], peer).get("requests", 0), 0) / self._seconds
                answers = peer.get("responses", {})
                rows.append((
                    peer.get("name") or peer.get("server", ""), name, peer.get("state", ""), peer.get("active", 0),
                    round(rate, 1), requests, answers.get("4xx", 0), answers.get("5xx", 0), peer.get("fails", 0),
                    peer.get("response_time", 0),
                ))  # fmt: skip
        return rows

    def _zones(self, which: str) -> list[Sequence[object]]:
        rows: list[Sequence[object]] = []
        for name, zone in self._now.get(which, {}).items():
            answers = zone.get("responses", {})
            if self._failed_only and not answers.get("5xx", 0):
                continue
            rate = round(self._rate(which, name, "requests"), 1)
            counts = (answers.get(each, 0) for each in _CLASSES)
            rows.append((name, rate, zone.get("requests", 0), *counts, zone.get("received", 0), zone.get("sent", 0)))
        return rows

    def _limits(self) -> list[Sequence[object]]:
        rows: list[Sequence[object]] = []
        for which in ("limit_reqs", "limit_conns"):
            for name, limit in self._now.get(which, {}).items():
                rejected = limit.get("rejected", 0)
                if self._failed_only and not rejected:
                    continue
                rate = round(self._rate(which, name, "passed"), 1)
                rows.append((name, rate, limit.get("passed", 0), limit.get("delayed", 0), rejected))
        return rows

    def _caches(self) -> list[Sequence[object]]:
        caches = {} if self._failed_only else self._now.get("caches", {})
        return [(name, cache.get("size", 0), cache.get("max_size", "-")) for name, cache in caches.items()]

    # -- in the three forms

    def as_json(self) -> dict[str, Any]:
        """An object for each table, by the names of its columns."""
        found: dict[str, Any] = {"server": self.summary()}
        for table in self.tables():
            found[table.title] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        return found

    def as_csv(self) -> str:
        """A line for each figure: table, row, column, value."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("table", "name", "figure", "value"))
        for figure, value in self.summary().items():
            writer.writerow(("server", "", figure, value))
        for table in self.tables():
            for row in table.rows:
                for column, value in zip(table.columns[1:], row[1:], strict=True):
                    writer.writerow((table.title, row[0], column, value))
        return out.getvalue()

    def text(self, style: Style, *, width: int = 0) -> str:
        """For a person; lines are cut to `width`, if there is one."""
        server = self.summary()
        cut = width or None
        lines = [
            style.bold(f"{server['build']}  generation {server['generation']} since {server['since']}"[:cut]),
            (
                f"requests {server['requests_per_second']}/s, {server['requests']} in all, "
                f"{server['under_way']} under way   connections {server['active']} + {server['idle']} idle, "
                f"{server['accepted_per_second']}/s new, "
                f"{server['dropped']} dropped   workers {server['workers']}"
            )[:cut],
        ]
        for table in self.tables():
            cells = [[_shown(cell) for cell in row] for row in [table.columns, *table.rows]]
            widths = [max(len(row[at]) for row in cells) for at in range(len(table.columns))]
            numbers = [isinstance(cell, (int, float)) for cell in table.rows[0]]
            lines.append("")
            for number, row in enumerate(cells):
                line = "  ".join(
                    cell.rjust(wide) if right else cell.ljust(wide)
                    for cell, wide, right in zip(row, widths, numbers, strict=True)
                )[:cut].rstrip()
                bad = number and table.title == "upstreams" and table.rows[number - 1][2] not in _UP
                lines.append(style.dim(line) if not number else style.bad(line) if bad else line)
        return "\n".join(lines)


def _zone_columns(what: str) -> tuple[str, ...]:
    return (what, "requests/s", "requests", *_CLASSES, "received", "sent")


def _at(data: Any, path: Sequence[str]) -> int:
    for name in path:
        data = data.get(name, {}) if isinstance(data, dict) else {}
    return data if isinstance(data, int) else 0


def _peers_of(data: Data, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data.get("upstreams", {}).get(name, {}).get("peers", [])
    return found


def _shown(cell: object) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)
