"""What happened lately, for the dashboard and the API: the event log, and certificates whose end has come near."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from gateway.config.text import to_str
from gateway.config.units import number_of
from gateway.core.event_log import KINDS, the_events
from gateway.modules.http import dashboard_certificates
from gateway.modules.http.dashboard_listings import Listing
from gateway.modules.http.dashboard_page import cell, raw, text
from gateway.upstream.peers.api_objects import ApiError, stamp

if TYPE_CHECKING:
    from gateway.http.request import Request

_DAY: Final = 86400
# How many the overview shows, and a page of them: their texts may be long.
_FEW: Final = 8
_PAGE: Final = 60
_COLUMNS: Final = ["time (UTC)", "level", "object", "what happened", "cause"]
# A level is a word and a sign; colour only goes with them.
_LEVELS: Final = {
    "emerg": ("bad", "▼ emerg"), "alert": ("bad", "▼ alert"), "crit": ("bad", "▼ crit"), "error": ("bad", "▼ error"),
    "warn": ("warn", "◆ warn"), "notice": ("good", "● notice"),
}  # fmt: skip


def by_whom(request: Request, how: str) -> str:
    """The cause of an event: who changes something."""
    return f"by {how}, client: {to_str(request.connection.remote()[0])}"


def asked(args: str, certificates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `?kind=peer,worker&after=ID` of the API asks for. Errors: ApiError."""
    fields = parse_qs(args, keep_blank_values=True)
    kinds = [kind for each in fields.get("kind", ()) for kind in each.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise ApiError(400, f'invalid kind "{kind}", not one of: {", ".join(KINDS)}', "EventsBadKind")
    after = fields.get("after", ["0"])[0]
    if not after.isascii() or not after.isdigit():
        raise ApiError(400, f'invalid after "{after}", not the id of an event', "EventsBadId")
    return listed(certificates, kinds, number_of(after))


def listed(certificates: list[dict[str, Any]], kinds: Collection[str] = (), after: int = 0) -> list[dict[str, Any]]:
    """The newest first: id, time, level, kind, object, text, cause; of these kinds, and behind the one of this id.

    A certificate's end is no event that anybody wrote: its id is 0, and it is behind none. A log whose last id is
    before `after` is another one, of a server that was started since: all of it is new.
    """
    found = the_events().newest()
    if after == 0:
        found += _ends(certificates, time.time())
    elif found and after <= found[0]["id"]:
        found = [each for each in found if each["id"] > after]
    if kinds:
        found = [each for each in found if each["kind"] in kinds]
    found.sort(key=lambda each: -each["time"])
    return [{**each, "time": stamp(int(each["time"] * 1000))} for each in found]


def _ends(certificates: list[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """Of certificates that end soon, or have ended."""
    found = []
    for one in certificates:
        end = one["ends_at"]
        if end is None:
            continue
        soon = end - dashboard_certificates.SOON_DAYS * _DAY
        cause = f"of {', '.join(dict.fromkeys(one['servers']))}, from {one['issuer']}"
        for at, level, words in ((soon, "warn", "ends soon"), (end, "error", "has ended")):
            if at <= now:
                found.append({
                    "id": 0, "time": float(at), "level": level, "kind": "certificate", "object": one["certificate"],
                    "text": f"{words}: {one['ends']}", "cause": cause,
                })  # fmt: skip
    return found


def listing(found: list[dict[str, Any]]) -> Listing:
    """The newest first."""

    def words(each: dict[str, Any]) -> str:
        return f"{each['time']} {each['level']} {each['kind']} {each['object']} {each['text']} {each['cause']}"

    def row(each: dict[str, Any]) -> list[str]:
        kind, level = _LEVELS.get(each["level"], ("", each["level"]))
        at = f'<time datetime="{text(each["time"])}">{text(each["time"][:19].replace("T", " "))}</time>'
        return [
            raw(at), cell(level, kind), cell(f"{each['kind']} {each['object']}", "place"), cell(each["text"], "long"),
            cell(each["cause"], "long"),
        ]  # fmt: skip

    def caption(_: int) -> str:
        return "the last that happened, the newest first"

    return Listing(
        "events", "events", caption, _COLUMNS, lambda: found, words, row, few=_FEW, most=_PAGE
    )
