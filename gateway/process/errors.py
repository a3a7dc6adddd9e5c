"""How a start or a reload fails once the configuration itself has been read; bugs on one line of the log."""

from __future__ import annotations

import traceback


class CycleError(Exception):
    """The new cycle cannot be set up; what was wrong is in the log already."""


def one_line(error: BaseException) -> str:
    """A traceback's last steps in a form that keeps one event on one line."""
    lines = [line.strip() for line in "".join(traceback.format_exception(error)).splitlines()]
    # A log line is cut at its end, and there stands what matters.
    return " | ".join(line for line in lines if line)[-1800:]
