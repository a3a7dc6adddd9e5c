"""The page of a failure in development: nginx's lines of the error log, their causes, and which block answered.

Only for whom `diagnosis_page` names; everybody else gets nginx's page. `gateway run` switches it on for this machine by
the environment, so that it holds with anybody's nginx.conf.
"""

from __future__ import annotations

import html
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.dev.diagnosis.unsaid import answered_by
from gateway.dev.explain.places import name_of
from gateway.dev.failure_page import OUTPUT
from gateway.http.status import REASONS, SENT_AS
from gateway.modules.http.diagnosis import LOCAL, ON
from gateway.modules.http.diagnosis import module as settings

if TYPE_CHECKING:
    from gateway.http.request import Request

_MOST: Final = 10  # lines of one request
_TAIL: Final = 4000  # bytes of the application's output that are looked at
_TAIL_LINES: Final = 25
_FROM_UPSTREAMS: Final = frozenset({500, 502, 503, 504})
# Others stand in between, so that loopback says nothing of where the client is.
_PASSED_ON: Final = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")
# What only this machine's browser can have asked for: a page elsewhere may have its own name lead to 127.0.0.1.
_LOCAL_NAMES: Final = re.compile(r"(?:.+\.)?(?:localhost|test)")

# Of a field that did not fit, often a cookie: its name says enough.
_LONG_VALUE: Final = re.compile(r'(client sent (?:too long|invalid) header line: "[^"]{60})[^"]+')

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em;color-scheme:light dark}"
    "pre{background:#8882;padding:1em;overflow:auto;white-space:pre-wrap}.cause{border-left:4px solid #c33;"
    "padding-left:1em;font-size:1.1em}dt{float:left;width:8em;color:#888}footer{color:#888;margin-top:3em}"
)

_UNSAID: Final = "The error log says nothing of it: {}."

# A line of the error log, and why.
Line = tuple[str, str]


class Pages:
    """Asked by the engine for the page (gateway.http.diagnosis), and by the explainer to keep what was said."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder  # of `gateway run`

    def wanted(self, request: Request) -> bool:
        """Whether this client is to see causes."""
        mode: str = request.location.confs[settings].page
        if mode == ON:
            return True
        return (mode == LOCAL or (not mode and self._folder is not None)) and is_own(request)

    def note(self, request: Request, message: bytes, error: OSError | None, why: Callable[[], str | None]) -> None:
        """Keep a line of the error log for the page that may follow."""
        if not self.wanted(request):
            return
        lines: list[Line] = request.main.state.setdefault(self, [])
        if len(lines) < _MOST:
            said = _LONG_VALUE.sub(r"\1…", message.decode("utf-8", "replace"))
            if error is not None and error.errno:
                said += f" ({error.errno}: {os.strerror(error.errno)})"
            if "Traceback (most recent call last):" in said:
                said = said.replace("; ", "\n")
            elif request.action:
                said += request.action.decode("utf-8", "replace")
            lines.append((said, why() or ""))

    def page(self, request: Request, status: int) -> tuple[bytes, bytes] | None:
        """See gateway.http.diagnosis."""
        if not self.wanted(request):
            return None
        lines: list[Line] = request.state.get(self, [])
        sent = SENT_AS.get(status, status)
        title = f"{sent} {REASONS.get(sent, b'').decode()}".rstrip()
        why = "" if lines else _UNSAID.format(answered_by(request, status) or "the configuration answers so")
        output = self._output() if status in _FROM_UPSTREAMS and request.upstream is not None else ""
        if b"text/html" in (request.head.get(b"accept") or b""):
            return b"text/html; charset=utf-8", _html(title, lines, why, _places(request), output)
        return b"text/plain; charset=utf-8", _text(title, lines, why, _places(request), output)

    def _output(self) -> str:
        if self._folder is None:
            return ""
        try:
            with (self._folder / OUTPUT).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read(_TAIL).decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_TAIL_LINES:])


def is_own(request: Request) -> bool:
    """Whether a browser on this machine asks, and nobody on behalf of another one."""
    address = request.connection.remote()[0]
    if address != b"unix:":
        try:
            if not ipaddress.ip_address(address.decode()).is_loopback:
                return False
        except ValueError:
            return False
    if any(request.head.get(name) is not None for name in _PASSED_ON):
        return False
    return _own_name(request.host, request.server.server_name)


def _own_name(host: bytes | None, server_name: bytes) -> bool:
    if not host or host == server_name:
        return True
    name = host.decode("latin-1").lower()
    if _LOCAL_NAMES.fullmatch(name):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _places(request: Request) -> list[Line]:
    """Which blocks answered, with file and line."""
    location = request.location
    found = [("request", f"{request.method.decode('latin-1')} {_shown(request.head.target)}")]
    server = request.server
    names = _shown(server.server_name) or '""'
    found.append(("server", f"{names}{_at(server.scope.where())}"))
    if location is not location.server.root:
        found.append(("location", f"{name_of(location).removeprefix('location ')}{_at(location.scope.where())}"))
    return found


def _at(where: object) -> str:
    return f" ({where})" if where is not None else ""


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _causes(cause: str) -> list[str]:
    """`Likely: 1) …; 2) …` as a list, anything else as it is."""
    head, *items = re.split(r"(?:^|(?<=: )|; )\d\) ", cause)
    return [head.rstrip(), *items] if items else [cause]


def _html(title: str, lines: list[Line], why: str, places: list[Line], output: str) -> bytes:
    parts = [
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content='width=device-width'>\n"
        f"<title>{html.escape(title)}</title>\n"
        f"<style>{_STYLE}</style>\n<h1>{html.escape(title)}</h1>\n"
    ]
    for said, cause in lines:
        if cause:
            first, *items = _causes(cause)
            listed = "".join(f"<li>{html.escape(item)}" for item in items)
            parts.append(f"<p class=cause>{html.escape(first)}</p>\n" + (f"<ol>{listed}</ol>\n" if listed else ""))
        parts.append(f"<pre>{html.escape(said)}</pre>\n")
    if why:
        parts.append(f"<p>{html.escape(why)}</p>\n")
    parts.append("<dl>" + "".join(f"<dt>{k}<dd>{html.escape(v)}" for k, v in places) + "</dl>\n")
    if output:
        parts.append(f"<h2>What the application wrote last</h2>\n<pre>{html.escape(output)}</pre>\n")
    parts.append("<footer>gateway, diagnosis_page: others get nginx's page</footer>\n")
    return "".join(parts).encode("utf-8", "replace")


def _text(title: str, lines: list[Line], why: str, places: list[Line], output: str) -> bytes:
    parts = [title, ""]
    for said, cause in lines:
        parts += [said, *([f"cause: {cause}"] if cause else []), ""]
    if why:
        parts += [why, ""]
    parts += [f"{name + ':':10}{value}" for name, value in places]
    if output:
        parts += ["", "the application wrote last:", output]
    return ("\n".join(parts) + "\n").encode("utf-8", "replace")
