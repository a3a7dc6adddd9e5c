"""A gateway command whose handlers raise, where no handler of a request stands in between."""

from __future__ import annotations

from typing import Any

from gateway import cli
from gateway.http import connection, handshake
from gateway.stream import cycle, session


def _wrong(*_: Any) -> Any:
    raise RuntimeError("a bug, as asked")


class FaultyHandshake(handshake.Handshake):
    """A class that is compiled takes no other method; one made of it may have it."""

    def go_on(self) -> bool:
        return bool(_wrong())


class FaultySession(session.Session):
    def run_phases(self) -> int:
        return int(_wrong())


if __name__ == "__main__":
    connection.Handshake = FaultyHandshake  # type: ignore[misc]
    cycle.Session = FaultySession  # type: ignore[misc]
    raise SystemExit(cli.main())
