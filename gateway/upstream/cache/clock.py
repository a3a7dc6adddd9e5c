"""The clocks of a cache, the same for all processes that share it."""

from __future__ import annotations

import time


def now() -> int:
    """Seconds since the epoch, as files have them."""
    return int(time.time())


def now_ms() -> int:
    """Milliseconds that nobody sets back, for locks."""
    return time.monotonic_ns() // 1_000_000
