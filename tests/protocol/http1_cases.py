"""The cases under tests/data/http1, as bytes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "http1"


def to_bytes(value: Any) -> Any:
    """Strings of a case are latin-1, with <x*20> for x twenty times."""
    if isinstance(value, str):
        value = re.sub(r"<([^*]+)\*(\d+)>", lambda found: found[1] * int(found[2]), value)
        return value.encode("latin-1")
    if isinstance(value, list):
        items = [to_bytes(item) for item in value]
        return tuple(items) if items and all(isinstance(item, bytes) for item in items) and len(items) == 2 else items
    return value


def load(name: str, table: str = "case") -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))[table]
    return cases


def splits(data: bytes) -> list[list[bytes]]:
    """The data whole, byte by byte, and in two pieces at each place (at some, where it is long)."""
    step = max(1, len(data) // 64)
    return [
        [data],
        [data[n : n + 1] for n in range(len(data))],
        *([data[:n], data[n:]] for n in range(1, len(data), step)),
    ]
