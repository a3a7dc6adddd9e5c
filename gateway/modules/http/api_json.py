"""The API's JSON, of what is long a portion after the other: others have their turn between."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from gateway.core.turns import PORTION, Work

_text = partial(json.dumps, separators=(",", ":"))


def encoded(found: Any) -> Work[bytes]:
    """A list or an object with many things in it takes several turns; all else takes none."""
    pieces: list[str] = []
    yield from _encode(found, pieces)
    return "".join(pieces).encode()


def _encode(found: Any, pieces: list[str]) -> Work[None]:
    if not _long(found):
        pieces.append(_text(found))
    elif isinstance(found, list):
        for start in range(0, len(found), PORTION):
            pieces.append(("," if start else "[") + _text(found[start : start + PORTION])[1:-1])
            yield
        pieces.append("]")
    else:
        sign = "{"
        short: dict[str, Any] = {}
        for key, value in found.items():
            long = _long(value)
            if short and (long or len(short) == PORTION):
                pieces.append(sign + _text(short)[1:-1])
                sign = ","
                short = {}
                yield
            if long:
                pieces.append(f"{sign}{_text(key)}:")
                sign = ","
                yield from _encode(value, pieces)
            else:
                short[key] = value
        if short:
            pieces.append(sign + _text(short)[1:-1])
        pieces.append("}")


def _long(found: Any) -> bool:
    """Whether it has more than a portion in it; what a short list has is taken for short."""
    if isinstance(found, dict):
        return len(found) > PORTION or any(map(_long, found.values()))
    return isinstance(found, list) and len(found) > PORTION
