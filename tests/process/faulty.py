"""A gateway command whose handlers raise, where no handler of a request stands in between."""

from __future__ import annotations

from typing import Any

from gateway import cli
from gateway.http import handshake
from gateway.stream import session


def _wrong(*_: Any) -> Any:
    raise RuntimeError("a bug, as asked")


if __name__ == "__main__":
    handshake.Handshake.go_on = _wrong  # type: ignore[method-assign, assignment]
    session.Session._phases = _wrong  # type: ignore[method-assign, assignment]
    raise SystemExit(cli.main())
