"""A gateway command whose handlers raise, where no handler of a request stands in between."""

from __future__ import annotations

from typing import Any

from gateway import cli
from gateway.http import handshake
from gateway.stream import cycle, session


def _wrong(*_: Any) -> Any:
    raise RuntimeError("a bug, as asked")


class FaultySession(session.Session):
    """A class that is compiled takes no other method; one made of it may have it."""

    def run_phases(self) -> int:
        return int(_wrong())


if __name__ == "__main__":
    handshake.read_proxy_header = _wrong  # type: ignore[assignment]
    cycle.Session = FaultySession  # type: ignore[misc]
    raise SystemExit(cli.main())
