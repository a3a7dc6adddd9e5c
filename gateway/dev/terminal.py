"""What `gateway run` writes: whole lines from several threads, colours only where they are wanted."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from typing import Final, TextIO

from gateway.dev.start_block import Style

# The log formats of run_conf.py: time, method, URI, status, bytes, seconds, upstreams, location.
_ACCESS: Final = re.compile(
    r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\S* (\S+) (.*) (\d{3}) (\d+) ([\d.]+) \[([^\]]*(?:\]:\d+[^\]]*)*)\](?: (.*))?"
)


def wants_color(stream: TextIO) -> bool:
    """Only a terminal gets colours, unless FORCE_COLOR says so; NO_COLOR forbids them (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


class Terminal:
    """Standard output and standard error, a line at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.last_complaint = ""
        self.style = Style(wants_color(sys.stdout))
        self.unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"

    def say(self, text: str) -> None:
        """Something from gateway itself."""
        self._write(sys.stdout, text)

    def complain(self, text: str) -> None:
        """Something that went wrong, and what the application prints."""
        self.last_complaint = text
        self._write(sys.stderr, text)

    def clear(self) -> None:
        """An empty screen, and nothing to scroll back to."""
        if sys.stdout.isatty():
            self._write(sys.stdout, "\x1b[2J\x1b[3J\x1b[H")

    def server_line(self, line: str) -> None:
        """A line from the server: a request, or its error log."""
        match = _ACCESS.fullmatch(line)
        if match is None:
            self.complain(line)
            return
        clock, method, uri, status, _, seconds, upstreams, location = match.groups()
        color = self.style.bad if status >= "500" else self.style.bold if status >= "400" else self.style.good
        text = f"{self.style.dim(clock)} {method} {uri} {color(status)} {float(seconds) * 1e3:.0f} ms"
        where = self._where(upstreams, location or "")
        self.say(f"{text}  {self.style.dim(where)}" if where else text)

    def _where(self, upstreams: str, location: str) -> str:
        """The location that answered, and what it asked: the application is what listens on a socket of ours."""
        if upstreams == "-":
            return location
        arrow = "→" if self.unicode else "->"
        each = upstreams.replace(" : ", ", ").split(", ")
        asked = ", ".join("app" if one.startswith("unix:") else one for one in each)
        return f"{location} {arrow} {asked}".strip()

    def _write(self, stream: TextIO, text: str) -> None:
        # The terminal may be gone; that is no reason to leave the application without a supervisor.
        encoding = stream.encoding or "utf-8"
        with self._lock, contextlib.suppress(OSError, ValueError):
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()
