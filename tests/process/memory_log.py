"""A log that keeps its lines."""

from __future__ import annotations

import re

from gateway.core.logs import DEBUG, Log


class Lines:
    """A sink; `text` has one "[level] message" a line."""

    level = DEBUG

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, level: int, line: bytes) -> None:
        match = re.fullmatch(r"\S+ \S+ (\[\w+\]) \d+#\d+: (.*)\n", line.decode())
        assert match is not None
        self.lines.append(f"{match[1]} {match[2]}")


def memory_log() -> tuple[Log, list[str]]:
    sink = Lines()
    return Log(sink), sink.lines
