"""The dashboard's HTML: each text that comes from anywhere is escaped in one place, `cell` and its kin."""

from __future__ import annotations

import csv
import html
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from gateway.core.turns import PORTION, Work

if TYPE_CHECKING:
    from gateway.modules.http.dashboard_replay import Again

# A state is a word and a sign; colour only goes with them.
_STATES: Final = {
    "up": ("good", "▲ up"), "draining": ("warn", "◆ draining"), "down": ("warn", "■ down"),
    "unavail": ("bad", "▼ unavailable"), "checking": ("warn", "◇ checking"), "unhealthy": ("bad", "▼ unhealthy"),
}  # fmt: skip
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# Of one upstream; those that are not up come first, and the rest is a number.
_MOST_PEERS: Final = 500

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
    links = [("", "overview", ""), ("configuration", "configuration", "")]
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
    number = re.sub(r"\W", "-", name)
    return f'<section id="{text(number)}" data-part><h2>{text(title)}</h2>{inside}</section>'


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


def zones(title: str, found: dict[str, Any]) -> Work[str]:
    columns = ["zone", "#requests", "#2xx", "#3xx", "#4xx", "#5xx", "#no answer", "#received", "#sent"]
    rows = []
    for name, zone in found.items():
        rows.append([
            cell(name), number(zone["requests"]),
            *(_count(zone["responses"][f"{code}xx"], code) for code in (2, 3, 4, 5)),
            number(zone["discarded"]), number(size(zone["received"])), number(size(zone["sent"])),
        ])  # fmt: skip
        if len(rows) % PORTION == 0:
            yield
    return part(title, title, table(f"{title} since the start", columns, rows))


def _count(count: int, code: int) -> str:
    if count and code >= 4:
        return f'<td class="n {"bad" if code == 5 else "warn"}">{count:,}</td>'
    return number(count)


def upstream(
    name: str, found: dict[str, Any], why: Mapping[str, str], change: Callable[[int, str], str] | None
) -> Work[str]:
    columns = [
        "peer", "state", "#weight", "#active", "#requests", "#4xx", "#5xx", "#fails", "#header ms", "#answer ms",
        "checks", "why, or the last failure",
    ]  # fmt: skip
    if change is not None:
        columns.append("change")
    # those that are up come last, and none is kept that is not shown
    first: list[dict[str, Any]] = []
    up: list[dict[str, Any]] = []
    count = 0
    for peer in found["peers"]:
        count += 1
        kept = up if peer["state"] == "up" else first
        if len(kept) < _MOST_PEERS:
            kept.append(peer)
        if count % PORTION == 0:
            yield
    rows = []
    for peer in (first + up)[:_MOST_PEERS]:
        rows.append(_peer(peer, why, change))
        if len(rows) % PORTION == 0:
            yield
    left = count - len(rows)
    caption = f"{count} peers, {found['keepalive']} connections kept"
    if left:
        caption += f"; {left} more that are not shown"
    queue = found.get("queue")
    if queue:
        caption += f"; queue {queue['size']} of {queue['max_size']}, {queue['overflows']} turned away"
    return part(f"upstream-{name}", f"upstream {name}", table(caption, columns, rows))


def _peer(peer: dict[str, Any], why: Mapping[str, str], change: Callable[[int, str], str] | None) -> list[str]:
    kind, state = _STATES.get(peer["state"], ("", peer["state"]))
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
        _count(peer["responses"]["4xx"], 4), _count(peer["responses"]["5xx"], 5), number(peer["fails"]),
        number(peer["header_time"]), number(peer["response_time"]), cell(shown),
        cell(why.get(peer["server"], ""), "long"),
    ]  # fmt: skip
    if change is not None:
        row.append(raw(change(peer["id"], peer["state"])))
    return row


def limits(found: dict[str, Any]) -> str:
    keys = ("passed", "delayed", "rejected", "delayed_dry_run", "rejected_dry_run")
    rows = [[cell(name), *(number(zone.get(key, "")) for key in keys)] for name, zone in found.items()]
    columns = ["zone", "#passed", "#delayed", "#rejected", "#delayed dry", "#rejected dry"]
    return part("limits", "limits", table("limit_req and limit_conn", columns, rows))


def caches(found: dict[str, Any]) -> str:
    rows = []
    for name, cache in found.items():
        most = cache.get("max_size")
        rows.append([cell(name), number(size(cache["size"])), number(size(most) if most else "no limit")])
    return part("caches", "caches", table("what they hold", ["cache", "#size", "#at most"], rows))


def workers(found: list[Any]) -> str:
    rows = [
        [
            number(worker["id"]), number(str(worker["pid"])), number(worker["connections"]["active"]),
            number(worker["connections"]["idle"]), number(worker["connections"]["accepted"]),
            number(worker["http"]["requests"]["total"]), number(worker["http"]["requests"]["current"]),
        ]
        for worker in found
    ]  # fmt: skip
    columns = ["#worker", "#pid", "#active", "#idle", "#accepted", "#requests", "#under way"]
    return part("workers", "workers", table("the server's processes", columns, rows))


def application(name: str, found: dict[str, Any] | str) -> str:
    """The application's own workers, from uWSGI's stats socket or gunicorn's; a text says why they are not there."""
    if isinstance(found, str):
        return part(f"app-{name}", f"application {name}", f'<p class="say">{text(found)}</p>')
    rows = []
    for worker in found.get("workers", ()):
        state = str(worker.get("status", "?"))
        exceptions = worker.get("exceptions", 0)
        rows.append([
            number(worker.get("id", "")), number(str(worker.get("pid", ""))),
            cell(state, "good" if state == "idle" else ""),
            number(worker.get("requests", "")),
            _count(exceptions, 5) if isinstance(exceptions, int) else number(exceptions),
            number(worker.get("harakiri_count", "")),
            number(size(worker["rss"]) if isinstance(worker.get("rss"), int) and worker["rss"] else "-"),
            number(_milliseconds(worker.get("avg_rt"))),
        ])  # fmt: skip
    columns = ["#worker", "#pid", "state", "#requests", "#exceptions", "#harakiri", "#rss", "#average ms"]
    caption = str(found.get("caption", "")) or (
        f"uWSGI {found.get('version', '')}, listen queue {found.get('listen_queue', '?')}"
    )
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
    return f"{value / 1000:.1f}" if isinstance(value, int) else ""


# -- requests --------------------------------------------------------------------------------------------------------


def search(base: str, wanted: str) -> str:
    """The filter's form."""
    return (
        f'<h2>requests</h2><form method="get" action="{text(base)}requests" role="search"><label>filter '
        f'<input type="search" name="q" value="{text(wanted)}" '
        'placeholder="status:5xx  time&gt;0.5  path:/api  !method:GET">'
        "</label> <button>show</button></form>"
    )


def listed(found: list[dict[str, Any]], base: str, wrong: str) -> str:
    """The requests that a filter leaves."""
    note = f'<p class="say">{text(wrong)}</p>' if wrong else ""
    columns = ["time", "method", "URI", "#status", "#ms", "location", "upstream", "what the error log says"]
    rows = [_request(entry, base) for entry in found]
    shown = table(f"the last {len(rows)}, the newest first", columns, rows)
    return f'<div id="requests" data-part>{note}{shown}</div>'


def _request(entry: dict[str, Any], base: str) -> list[str]:
    status = str(entry.get("status", ""))
    id = str(entry.get("id", ""))
    link = f'<a href="{text(base)}requests/{text(id)}" data-key="{text(id)}">{text(clock(entry))}</a>'
    kind = "n bad" if status.startswith("5") else "n warn" if status.startswith("4") else "n"
    sign = {"5": "✗ ", "4": "! "}.get(status[:1], "")
    notes = entry.get("notes") or [""]
    if entry.get("replay"):
        link += f' <a href="{text(base)}requests/{text(entry["replay"])}" title="of this one">↻ replay</a>'
    return [
        raw(link), cell(entry.get("method", "")), cell(entry.get("uri", ""), "long"), cell(sign + status, kind),
        number(milliseconds(entry.get("seconds"))), cell(_short_place(entry), "place"),
        cell(entry.get("upstream", "")), cell(notes[-1], "long"),
    ]  # fmt: skip


def _short_place(entry: dict[str, Any]) -> str:
    """A location with its file's name and line; the whole path stands on the request's own page."""
    return re.sub(r" \((?:[^()]*/)?([^()/]+:\d+)\)$", r" (\1)", str(entry.get("location", "")))


def clock(entry: dict[str, Any]) -> str:
    seconds, _, rest = str(entry.get("time", "0")).partition(".")
    at = time.localtime(int(seconds) if seconds.isdigit() else 0)
    return time.strftime("%H:%M:%S", at) + f".{rest[:3]:0<3}"


def milliseconds(value: object) -> str:
    found = re.match(r"(\d+)\.(\d{3})", str(value or ""))
    return str(int(found[1]) * 1000 + int(found[2])) if found else ""


def request(entry: dict[str, Any], command: str, curl: str, *, base: str, form: str = "", said: str = "") -> str:
    """All that is kept of one request; `form` is what sends it again."""
    facts = [
        ("id", "id"), ("client", "client"), ("host", "host"), ("server", "server"), ("location", "location"),
        ("protocol", "protocol"), ("bytes", "bytes"), ("upstream", "upstream"), ("its status", "upstream_status"),
        ("cache", "cache"),
    ]  # fmt: skip
    listed = "".join(f"<dt>{name}</dt><dd>{text(entry[key])}</dd>" for name, key in facts if entry.get(key))
    if entry.get("replay"):
        of = text(entry["replay"])
        listed += f'<dt>replay of</dt><dd>↻ <a href="{text(base)}requests/{of}">{of}</a></dd>'
    lines = [said] if said else []
    notes = "".join(f'<p class="say">{text(note)}</p>' for note in (*lines, *entry.get("notes", ())))
    title = f"{entry.get('method', '')} {entry.get('uri', '')}: {entry.get('status', '')}"
    return (
        f"<h2>{text(title)}</h2>{notes}<dl>{listed}</dl>{_times(entry)}"
        f"<h2>asked</h2>{_fields('asked', entry)}<h2>answered</h2>{_fields('answered', entry)}"
        '<h2>again</h2><p>why it went this way: <button data-copy="explain">copy</button></p>'
        f'<pre id="explain">{text(command)}</pre>'
        f'<p>send it once more: <button data-copy="curl">copy</button></p><pre id="curl">{text(curl)}</pre>{form}'
    )


def _fields(which: str, entry: dict[str, Any]) -> str:
    rows = [[cell(name), cell(value, "long")] for name, value in entry.get(which, ())]
    return (
        table(f"fields {which}; secrets are masked", ["name", "value"], rows)
        if rows
        else '<p class="soft">none kept</p>'
    )


def _times(entry: dict[str, Any]) -> str:
    """Bars: until connected, until the head, until the end of the last try, and all of it."""
    whole = int(milliseconds(entry.get("seconds")) or 0)
    lines = [("whole request", whole, "")]
    for name, key in (("answer of the upstream", "response"), ("its head", "header"), ("connecting", "connect")):
        shown = milliseconds(str(entry.get(key, "")).split(", ")[-1])
        if shown:
            lines.append((name, int(shown), " wait"))
    most = max(1, *(value for _, value, _ in lines))
    bars = "".join(
        f'<tr>{cell(name)}{number(f"{value} ms")}<td><svg width="200" height="10" role="img" '
        f'aria-label="{value} of {most} ms"><rect class="bar{kind}" width="{max(1, 200 * value // most)}" height="10"/>'
        "</svg></td></tr>"
        for name, value, kind in lines
    )
    return f'<h2>times</h2><div class="wide"><table><tbody>{bars}</tbody></table></div>'


# -- replay ----------------------------------------------------------------------------------------------------------


def notice(said: str, link: str) -> str:
    """A page that says why there is no other."""
    return f'<h2>request</h2><p class="say">{text(said)}</p><p><a href="{text(link)}">back</a></p>'


def replay_form(made: Again, token: str, later: Sequence[dict[str, Any]], base: str) -> str:
    """What sends a request again, with what will be missing of it; and what came of it before."""
    shown = "".join(
        f'<li><a href="{text(base)}requests/{text(entry.get("id", ""))}">{text(clock(entry))}</a> '
        f"{text(entry.get('status', ''))} in {text(milliseconds(entry.get('seconds')))} ms</li>"
        for entry in later
    )
    before = f'<p>sent again before:</p><ul id="replays">{shown}</ul>' if shown else ""
    if made.why_not:
        return f'<h2>replay</h2><p class="say">It cannot be sent again by this page: {text(made.why_not)}.</p>{before}'
    more = "" if made.safe else "…"
    return (
        f'<h2>replay</h2>{_what_differs(made)}<form method="post" data-once>'
        f'<input type="hidden" name="token" value="{text(token)}">'
        f'<button data-key="replay">send {text(made.method)} again{more}</button></form>{before}'
    )


def replay_asked(entry: dict[str, Any], made: Again, token: str, base: str) -> str:
    """What may change something is asked for twice."""
    back = f"{text(base)}requests/{text(entry.get('id', ''))}"
    return (
        f"<h2>{text(made.method)} {text(made.target)}: send it again?</h2>"
        f'<p class="say">{text(made.method)} may change something, and would do so a second time.</p>'
        f'{_what_differs(made)}<form method="post" data-once><input type="hidden" name="token" value="{text(token)}">'
        f'<button name="sure" value="yes" data-key="sure">yes, send it</button> <a href="{back}">no, back</a></form>'
    )


def _what_differs(made: Again) -> str:
    """Said before anything is sent."""
    lines = ["It goes through this server as it did, from the same client's address."]
    if made.left_out:
        names = ", ".join(dict.fromkeys(made.left_out))
        lines.append(f"Secrets were never kept, and are left out: {names}.")
    lines += [f"{line[0].upper()}{line[1:]}." for line in made.differs]
    return "".join(f"<p>{text(line)}</p>" for line in lines)
