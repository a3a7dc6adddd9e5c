"""An error of the configuration as a person wants to read it: nginx's line, the source, a caret, advice."""

from __future__ import annotations

from gateway.config.errors import ConfigError


class Report:
    """What is to be said about one error."""

    def __init__(self, error: ConfigError, *, color: bool, program: str) -> None:
        self._error = error
        self._color = color
        self._program = program

    def text(self) -> str:
        """Give the report, nginx's own line first."""
        return f"{self._program}: [{self._error.level}] {self._error}"
