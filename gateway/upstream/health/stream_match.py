"""`match` of the stream block: what is sent to a peer, and what its answer has to begin with, or to match."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_HEX: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")


@dataclass(slots=True)
class StreamMatch:
    """One block; an empty one stands for a check without a match."""

    name: bytes = b""
    send: bytes = b""
    expect: Callable[[bytes], bool] | None = None


def with_bytes(text: bytes) -> bytes:
    r"""A string of a configuration with its \xNN made bytes."""
    return _HEX.sub(lambda found: bytes((int(found[1], 16),)), text)


def begins_with(text: bytes) -> Callable[[bytes], bool]:
    return lambda got: got.startswith(text)
