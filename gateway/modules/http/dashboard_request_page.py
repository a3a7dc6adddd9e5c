"""The dashboard's pages of requests: the list, one with all that is kept of it, and what sends it again."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.modules.http.dashboard_long import Long, address
from gateway.modules.http.dashboard_page import cell, number, raw, table, text
from gateway.modules.http.request_history_body import shown

if TYPE_CHECKING:
    from gateway.modules.http.dashboard_curl import Curl
    from gateway.modules.http.dashboard_listings import Asked
    from gateway.modules.http.dashboard_replay import Again


# Of a row of the list, in characters.
_MOST_URI: Final = 120
_MOST_NOTE: Final = 240
# Of a request's own page, in bytes as they stand there; the rest is on pages of its own.
_MOST_LINES: Final = 6000
_MOST_TEXT: Final = 9000
_MOST_AGAIN: Final = 20
_FACTS: Final = (
    ("id", "id"), ("client", "client"), ("host", "host"), ("server", "server"), ("location", "location"),
    ("protocol", "protocol"), ("bytes", "bytes"), ("upstream", "upstream"), ("its status", "upstream_status"),
    ("cache", "cache"),
)  # fmt: skip


_HELP: Final = "".join(
    f"<dt><code>{text(words)}</code></dt><dd>{text(meaning)}</dd>"
    for words, meaning in (
        ("status:404  status:5xx  status>=400", "the status of the answer"),
        ("time>0.5  time>500ms", "the whole request, in seconds or with a unit"),
        ("bytes<100", "what was sent"),
        ("method:POST  path:/api  host:shop  client:10.", "parts of what was asked"),
        ("location:/static  up:8001  server:shop  cache:HIT", "parts of who answered"),
        ("error  replay", "those with a line of the error log; those that were sent again"),
        ("login", "any other word: in the URI, in the error log, the method or the status"),
        ("status:5xx !method:GET", "all words have to hold; with ! one must not"),
    )
)


def search(base: str, wanted: str) -> str:
    """The filter's form."""
    return (
        f'<h2>requests</h2><form method="get" action="{text(base)}requests" role="search"><label>filter '
        f'<input type="search" name="q" value="{text(wanted)}" '
        'placeholder="status:5xx  time&gt;0.5  path:/api  !method:GET">'
        "</label> <button>show</button></form>"
        f"<details><summary>what can be filtered by</summary><dl>{_HELP}</dl></details>"
    )


def listed(
    found: list[dict[str, Any]], base: str, wrong: str, *, first: int = 0, newer: str = "", older: str = ""
) -> str:
    """The requests that a filter leaves, from the one behind `first` on, and links to the pages beside these."""
    note = f'<p class="say">{text(wrong)}</p>' if wrong else ""
    columns = ["time", "method", "URI", "#status", "#ms", "location", "upstream", "what the error log says"]
    rows = [_request(entry, base) for entry in found]
    caption = f"{first + 1:,} to {first + len(rows):,}, the newest first" if newer or older else "the newest first"
    shown = table(caption, columns, rows) if rows else '<p class="soft">none</p>'
    places = (("newer", newer), ("older", older))
    links = "".join(f'<a href="{text(to)}" data-key="page-{word}">{word}</a>' for word, to in places if to)
    more = f'<nav aria-label="More requests">{links}</nav>' if links else ""
    return f'<div id="requests" data-part>{note}{shown}{more}</div>'


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
        raw(link), cell(_cut(entry.get("method", ""), _MOST_URI)),
        cell(_cut(entry.get("uri", ""), _MOST_URI), "long"), cell(sign + status, kind),
        number(milliseconds(entry.get("seconds"))), cell(_short_place(entry), "place"),
        cell(_cut(entry.get("upstream", ""), _MOST_URI)), cell(_cut(notes[-1], _MOST_NOTE), "long"),
    ]  # fmt: skip


def _cut(value: object, most: int) -> str:
    """What is long is whole on the request's own page."""
    whole = str(value)
    return whole if len(whole) <= most else f"{whole[:most]}… ({len(whole):,} characters)"


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


def request(entry: dict[str, Any], command: str, curl: Curl, *, base: str, form: str = "", said: str = "") -> str:
    """All that is kept of one request; `form` is what sends it again."""
    long = Long(address(base, entry.get("id", "")))
    listed = "".join(
        f"<dt>{name}</dt><dd>{long.cut(entry[key], 'request')}</dd>" for name, key in _FACTS if entry.get(key)
    )
    if entry.get("replay"):
        of = text(entry["replay"])
        listed += f'<dt>replay of</dt><dd>↻ <a href="{text(base)}requests/{of}">{of}</a></dd>'
    notes = f'<p class="say">{text(said)}</p>' if said else ""
    notes += long.lines(entry.get("notes", ()), "log", _MOST_LINES)
    uri = str(entry.get("uri", ""))
    if len(uri) > _MOST_URI:
        listed = f"<dt>URI</dt><dd>{long.cut(uri, 'request')}</dd>{listed}"
    return (
        f"<h2>{text(_title(entry))}: {text(entry.get('status', ''))}</h2>{notes}<dl>{listed}</dl>{_times(entry)}"
        f"<h2>asked</h2>{long.fields('asked', entry.get('asked', []))}{_body(entry, long)}"
        f"<h2>answered</h2>{long.fields('answered', entry.get('answered', []))}"
        '<h2>again</h2><p>why it went this way: <button data-copy="explain">copy</button></p>'
        f'<pre id="explain">{text(command)}</pre>'
        f"{_command(curl, long)}{form}"
    )


def whole(entry: dict[str, Any], curl: Curl, base: str, asked: Asked) -> str:
    """A page of what was too long for that one, by one of its names."""
    if asked.of == "body":
        words = shown(entry["body"])[1] if "body" in entry else ""
    elif asked.of in ("asked", "answered"):
        words = "\n".join(f"{name}: {value}" for name, value in entry.get(asked.of, ()))
    elif asked.of == "request":
        facts = (("method", "method"), ("URI", "uri"), *_FACTS)
        words = "\n".join(f"{name}: {entry[key]}" for name, key in facts if entry.get(key))
    else:
        lines = {"log": entry.get("notes", ()), "curl": [curl.command], "lacks": curl.lacks}[asked.of]
        words = "\n".join(lines)
    return Long(address(base, entry.get("id", ""))).page(_title(entry), asked.of, words, asked)


def _title(entry: dict[str, Any]) -> str:
    return f"{_cut(entry.get('method', ''), _MOST_URI)} {_cut(entry.get('uri', ''), _MOST_URI)}"


def _command(curl: Curl, long: Long) -> str:
    """To be copied where all of it is here."""
    command = long.cut(curl.command, "curl", _MOST_TEXT)
    copy = ' <button data-copy="curl">copy</button>' if command == text(curl.command) else ""
    lacks = long.cut(", ".join(curl.lacks), "lacks")
    lack = f'<p class="soft">The command lacks: {lacks}.</p>' if curl.lacks else ""
    return f'<p>send it once more:{copy}</p><pre id="curl">{command}</pre>{lack}'


def _body(entry: dict[str, Any], long: Long) -> str:
    """What was kept of a body, if it is switched on."""
    if "body" not in entry:
        return ""
    caption, inside = shown(entry["body"])
    lines = f'<pre id="body">{long.cut(inside, "body", _MOST_TEXT)}</pre>' if inside else ""
    return f"<h2>its body</h2><p>{text(caption)}</p>{lines}"


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
        for entry in later[:_MOST_AGAIN]
    )
    if len(later) > _MOST_AGAIN:
        shown += f'<li><a href="{text(base)}requests?q=replay">{len(later) - _MOST_AGAIN:,} more</a></li>'
    before = f'<p>sent again before:</p><ul id="replays">{shown}</ul>' if shown else ""
    if made.why_not:
        said = text(_cut(made.why_not, _MOST_NOTE))
        return f'<h2>replay</h2><p class="say">It cannot be sent again by this page: {said}.</p>{before}'
    more = "" if made.safe else "…"
    return (
        f'<h2>replay</h2>{_what_differs(made)}<form method="post" data-once>'
        f'<input type="hidden" name="token" value="{text(token)}">'
        f'<button data-key="replay">send {text(_cut(made.method, _MOST_URI))} again{more}</button></form>{before}'
    )


def replay_asked(entry: dict[str, Any], made: Again, token: str, base: str) -> str:
    """What may change something is asked for twice."""
    back = f"{text(base)}requests/{text(entry.get('id', ''))}"
    return (
        f"<h2>{text(_title({'method': made.method, 'uri': made.target}))}: send it again?</h2>"
        f'<p class="say">{text(_cut(made.method, _MOST_URI))} may change something, and would do so a second time.</p>'
        f'{_what_differs(made)}<form method="post" data-once><input type="hidden" name="token" value="{text(token)}">'
        f'<button name="sure" value="yes" data-key="sure">yes, send it</button> <a href="{back}">no, back</a></form>'
    )


def _what_differs(made: Again) -> str:
    """Said before anything is sent."""
    lines = ["It goes through this server as it did, from the same client's address."]
    if made.left_out:
        names = _cut(", ".join(dict.fromkeys(made.left_out)), _MOST_NOTE)
        lines.append(f"Secrets were never kept, and are left out: {names}.")
    lines += [f"{line[0].upper()}{_cut(line[1:], _MOST_NOTE)}." for line in made.differs[:_MOST_AGAIN]]
    return "".join(f"<p>{text(line)}</p>" for line in lines)
