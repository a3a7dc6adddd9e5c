"""A request that took place, from request_history: what is known of it, and the question that asks for it again."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.text import to_str
from gateway.core.ring import Ring
from gateway.dev.explain.question import Question, ask
from gateway.modules.http import request_history
from gateway.modules.http.dashboard_request_page import clock, milliseconds
from gateway.modules.http.request_history_body import shown
from gateway.modules.http.request_history_record import unpacked

if TYPE_CHECKING:
    from gateway.dev.explain.findings import Findings
    from gateway.http.cycle import HttpCycle

_PORTS = {"http": "80", "https": "443"}
_SPOKEN = {"HTTP/2.0": "2", "HTTP/3.0": "3"}


class NotKept(Exception):
    """There is no such request; str() says why."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was kept of one request."""

    entry: dict[str, Any]

    def question(self) -> Question:
        """The same request once more; what was masked stays masked. Errors: BadQuestion."""
        entry = self.entry
        scheme, port = str(entry.get("scheme", "http")), str(entry.get("port", ""))
        host = str(entry.get("host", "localhost"))
        authority = host if not port or port == _PORTS.get(scheme) else f"{host}:{port}"
        fields = [f"{name}: {value}" for name, value in entry.get("asked", ()) if name.lower() != "host"]
        client = str(entry.get("client", ""))
        try:
            ipaddress.ip_address(client)
        except ValueError:
            client = "127.0.0.1"  # of a unix socket
        http = _SPOKEN.get(str(entry.get("protocol", "")), "1.1")
        words = [str(entry.get("method", "GET")), f"{scheme}://{authority}{entry.get('uri', '/')}"]
        body = entry.get("body")
        data = to_str(body.data) if body is not None and not body.why_not_whole else ""
        return ask(words, fields, client, data, http=http)

    def tell(self, findings: Findings) -> None:
        """What took place, before what would now."""
        entry = self.entry
        took = f"{clock(entry)}, {entry.get('status', '?')} in {milliseconds(entry.get('seconds')) or '?'} ms"
        details = [f"location: {entry.get('location', '')}"]
        if entry.get("upstream"):
            times_of = {"status": "upstream_status", "connected": "connect", "head": "header", "whole": "response"}
            times = ", ".join(f"{name} {entry[key]}" for name, key in times_of.items() if entry.get(key))
            details.append(f"upstream: {entry['upstream']} ({times})")
        if "body" in entry:
            details.append(f"body: {shown(entry['body'])[0]}")
        details += [f"error log: {note}" for note in entry.get("notes", ())]
        findings.tell("took place", took, None, details, status=entry.get("status"), id=entry.get("id"))

    def compare(self, findings: Findings) -> None:
        """Whether it would go the same way with the configuration as it is now."""
        now = [each.data["location"] for each in findings.of("location") if each.data.get("location")]
        if not now:
            return
        before = str(self.entry.get("location", ""))
        place = before.rpartition(" (")[0] or before
        if place not in ("if", "") and now[-1].removeprefix("location ") != place:
            findings.tell(
                "differs", f"it ended in {place} then, and would in {now[-1]} now: the configuration has changed"
            )


def find(cycle: HttpCycle, id: str) -> Past:
    """Errors: NotKept."""
    history: request_history.History | None = cycle.scope.conf(request_history.module, "main").history
    if history is None:
        raise NotKept("no requests are kept: request_history FILE; in the http block")
    try:
        ring = Ring.read_from(history.path)
    except OSError as error:
        raise NotKept(f"nothing can be read from {history.path}: {error.strerror}") from None
    except ValueError as why:
        raise NotKept(f"nothing can be read: {why}") from None
    for _, data in ring.newest():
        try:
            entry = unpacked(data)
        except ValueError:
            continue
        if entry.get("id") == id:
            return Past(entry)
    raise NotKept(f"{id} is not among the last {history.requests} requests in {history.path}")
