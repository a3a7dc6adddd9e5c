"""How a start or a reload fails once the configuration itself has been read."""

from __future__ import annotations


class CycleError(Exception):
    """The new cycle cannot be set up; what was wrong is in the log already."""
