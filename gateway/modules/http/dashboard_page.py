"""The dashboard's HTML: each text that comes from anywhere is escaped in one place, `cell` and its kin."""

from __future__ import annotations

import csv
import html
import io
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from gateway.core.turns import PORTION, Work

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NO_ID: Final = re.compile(r"[^\w-]")
_MOST_WORKERS: Final = 200  # of an application

CURRENT: Final = ' aria-current="page"'
NUMBERS: Final = ' class="n"'
LEGEND: Final = "▲ up ◆ drained ■ switched off ▼ not answering ◇ first check awaited."


def text(value: object) -> str:
    """Anything, as it may stand in a page or in a quoted attribute."""
    return html.escape(_CONTROLS.sub("\ufffd", str(value)), quote=True)


@lru_cache(maxsize=1)
def frame() -> str:
    """What stands around each page; read before the workers are made."""
    return (files("gateway") / "conf" / "dashboard.html").read_text("utf-8")


def page(title: str, body: str, *, base: str, nonce: str, live: str, here: str, requests: bool) -> bytes:
    """A whole page."""
    links = [("", "overview", ""), ("events", "events", ""), ("configuration", "configuration", "")]
    if requests:
        links.insert(1, ("requests", "requests", " data-requests"))
    nav = "".join(
        f'<a href="{text(base + path)}"{mark}{CURRENT if name == here else ""}>{name}</a>' for path, name, mark in links
    )
    whole = frame().format(
        title=text(title), body=body, base=text(base), nonce=nonce, live=text(live), nav=nav, legend=LEGEND,
        clock=time.strftime("%H:%M:%S"),
    )  # fmt: skip
    return whole.encode("utf-8", "replace")


def part(name: str, title: str, inside: str) -> str:
    """A section that is looked at anew each second."""
    id = _NO_ID.sub(lambda found: f":{ord(found[0]):x}:", name)  # two names never have the same
    return f'<section id="{id}" data-part><h2>{text(title)}</h2>{inside}</section>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns whose name begins with "#" hold numbers; cells are HTML already (cell, number, …)."""
    heads = "".join(
        f'<th scope="col"{NUMBERS if name.startswith("#") else ""}>{text(name.removeprefix("#"))}</th>'
        for name in columns
    )
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def cell(value: object, kind: str = "") -> str:
    return f'<td class="{kind}">{text(value)}</td>' if kind else f"<td>{text(value)}</td>"


def number(value: object) -> str:
    shown = f"{value:,}" if isinstance(value, int) else value
    return f'<td class="n">{text(shown)}</td>'


def raw(inside: str) -> str:
    return f"<td>{inside}</td>"


def size(count: int) -> str:
    """Bytes, for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


# -- what the parts show ---------------------------------------------------------------------------------------------


def overview(nginx: dict[str, Any], connections: dict[str, Any], requests: dict[str, Any], workers: list[Any]) -> str:
    items = [
        ("requests a second", '<span id="rate">…</span>'),
        ("requests", f'<span data-total="{int(requests["total"])}">{requests["total"]:,}</span>'),
        ("under way", f"{requests['current']:,}"),
        ("connections", f"{connections['active']:,} + {connections['idle']:,} idle"),
        ("accepted", f"{connections['accepted']:,}"),
        ("dropped", f"{connections['dropped']:,}"),
        ("workers", f"{len(workers)}"),
    ]
    cards = "".join(f"<li>{name}<b>{value}</b></li>" for name, value in items)
    said = f"{nginx['build']}, behaves as nginx {nginx['version']}; configuration {nginx['generation']} since "
    since = f'<p class="soft">{text(said + nginx["load_timestamp"])}</p>'
    return f'<div id="overview" data-part>{since}<ul class="cards">{cards}</ul></div>'


def failed(count: int, code: int) -> str:
    """Answers of this hundred, which may be a reason to look."""
    if count and code >= 4:
        return f'<td class="n {"bad" if code == 5 else "warn"}">{count:,}</td>'
    return number(count)


def application(name: str, found: dict[str, Any] | str) -> str:
    """The application's own workers, from uWSGI's stats socket or gunicorn's; a text says why they are not there."""
    if isinstance(found, str):
        return part(f"app-{name}", f"application {name}", f'<p class="say">{text(found)}</p>')
    rows = []
    told = found.get("workers", ())
    for worker in told[:_MOST_WORKERS]:
        state = str(worker.get("status", "?"))
        exceptions = worker.get("exceptions", 0)
        rows.append([
            number(worker.get("id", "")), number(str(worker.get("pid", ""))),
            cell(state, "good" if state == "idle" else ""),
            number(worker.get("requests", "")),
            failed(exceptions, 5) if isinstance(exceptions, int) else number(exceptions),
            number(worker.get("harakiri_count", "")),
            number(size(_count_of(worker.get("rss"))) if _count_of(worker.get("rss")) else "-"),
            number(_milliseconds(worker.get("avg_rt"))),
        ])  # fmt: skip
    columns = ["#worker", "#pid", "state", "#requests", "#exceptions", "#harakiri", "#rss", "#average ms"]
    caption = str(found.get("caption", "")) or (
        f"uWSGI {found.get('version', '')}, listen queue {found.get('listen_queue', '?')}"
    )
    if len(told) > len(rows):
        caption += f"; {len(told) - len(rows)} more workers that are not shown"
    return part(f"app-{name}", f"application {name}", table(caption, columns, rows))


def as_csv(data: dict[str, Any]) -> Work[list[bytes]]:
    """The overview's figures, a line for each: table, name of the row, figure, value; in pieces."""
    pieces = []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", "name", "figure", "value"))
    for table, found in data.items():
        rows: Iterable[tuple[str, dict[str, Any]]] = [("", found)]
        if table == "upstreams":
            rows = ((f"{name} {peer['name']}", peer) for name, each in found.items() for peer in each["peers"])
        elif table == "workers":
            rows = [(str(worker["id"]), worker) for worker in found]
        elif table == "certificates":
            rows = [(certificate["certificate"], certificate) for certificate in found]
        elif table == "events":
            rows = [(f"{each['time']} {each['object']}", each) for each in found]
        elif table not in ("nginx", "connections", "requests"):
            rows = found.items()
        for number, (name, row) in enumerate(rows, 1):
            if number % (PORTION // 4) == 0:
                pieces.append(out.getvalue().encode("utf-8", "replace"))
                out.seek(0)
                out.truncate()
                yield
            writer.writerows((table, name, figure, value) for figure, value in _flat(row))
    pieces.append(out.getvalue().encode("utf-8", "replace"))
    return pieces


def _flat(row: dict[str, Any], inside: str = "") -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{inside}{name}.")
        else:
            yield f"{inside}{name}", value


def _milliseconds(value: object) -> str:
    return f"{_count_of(value) / 1000:.1f}" if isinstance(value, int) else ""


def _count_of(value: object) -> int:
    """What an application says to be a number, as far as it can be one: JSON has others."""
    return value if isinstance(value, int) and 0 <= value < 1 << 63 else 0
