"""The certificates that the servers show, with their end: what the dashboard lists."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.x509 import seconds
from gateway.core import tls_objects
from gateway.modules.http import ssl
from gateway.modules.http.dashboard_listings import Listing
from gateway.modules.http.dashboard_page import cell, number

if TYPE_CHECKING:
    from gateway.http.cycle import HttpCycle
    from gateway.http.servers import Server

_DAY: Final = 86400
SOON_DAYS: Final = 14
_KINDS: Final = {
    "has ended": ("bad", "✗ has ended"), "ends soon": ("warn", "! ends soon"), "good": ("good", "✓ good"),
}  # fmt: skip
_MOST_NAMES: Final = 8
_COLUMNS: Final = ["certificate", "servers", "issuer", "ends", "#days", "state"]


def listed(cycle: HttpCycle) -> list[dict[str, Any]]:
    """Each once, those that end first in front; what a variable names is not known before a handshake."""
    found: dict[str, dict[str, Any]] = {}
    for server in cycle.servers:
        if server.tls is None:
            continue
        name = server.server_name.decode("utf-8", "replace") or "_"
        for one in _of_server(server):
            found.setdefault(one["certificate"], {**one, "servers": []})["servers"].append(name)
    return sorted(found.values(), key=lambda one: (one["days"] is None, one["days"] or 0))


def _of_server(server: Server) -> list[dict[str, Any]]:
    by_acme = _by_acme(server)
    if by_acme is not None:
        return [by_acme]
    made = []
    for name in server.confs[ssl.module].certificates:
        chain = tls_objects.loaded_chain(name) if isinstance(name, str) else None
        label = str(name) if not str(name).startswith("data:") else "data:…"
        if chain is None:
            made.append(_one(label, "", None, "known at the handshake"))
        else:
            leaf = chain.certificate()
            issuer = leaf.issuer().decode("utf-8", "replace")
            ends = seconds(leaf.not_after().decode())
            made.append(_one(label, issuer, ends))
    return made


def _by_acme(server: Server) -> dict[str, Any] | None:
    acme = sys.modules.get("gateway.modules.http.acme")  # which a configuration without it does not import
    conf: Any = server.confs.get(acme.module) if acme is not None else None
    asked = conf.asked if conf is not None else None
    if asked is None or asked.made is None:
        return None
    from gateway.core import certify
    from gateway.protocol import der

    issuer, wanted = asked.made
    label = f"{', '.join(wanted.hosts)} (ACME)"
    waiting = issuer.waiting(wanted)
    try:
        leaf = certify.read(der.unpem("CERTIFICATE", issuer.files.read(f"{wanted.name}.pem"))[0])
    except (OSError, der.Malformed, IndexError):
        return _one(label, issuer.name, None, waiting.words() if waiting is not None else "none yet")
    return _one(label, issuer.name, int(leaf.ends.timestamp()))


def _one(label: str, issuer: str, ends: int | None, state: str = "") -> dict[str, Any]:
    days = None if ends is None else (ends - int(time.time())) // _DAY
    if days is not None:
        state = "has ended" if days < 0 else "ends soon" if days < SOON_DAYS else "good"
    text = "" if ends is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ends))
    return {"certificate": label, "issuer": issuer, "ends": text, "ends_at": ends, "days": days, "state": state}


def listing(found: list[dict[str, Any]]) -> Listing:
    """What ends first stands first."""

    def words(one: dict[str, Any]) -> str:
        return f"{one['certificate']} {' '.join(one['servers'])} {one['issuer']} {one['state']}"

    def row(one: dict[str, Any]) -> list[str]:
        kind, state = _KINDS.get(one["state"], ("warn", f"◇ {one['state']}"))
        names = list(dict.fromkeys(one["servers"]))
        servers = ", ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            servers += f" and {len(names) - _MOST_NAMES} more"
        return [
            cell(one["certificate"], "long"), cell(servers, "long"), cell(one["issuer"]), cell(one["ends"]),
            number("" if one["days"] is None else one["days"]), cell(state, kind),
        ]  # fmt: skip

    def caption(_: int) -> str:
        return "what ends first stands first"

    return Listing("certificates", "certificates", caption, _COLUMNS, lambda: found, words, row)
