from __future__ import annotations

import time

from gateway.upstream.cache import clock


def test_two_clocks() -> None:
    assert 0 <= time.time() - clock.now() < 2
    before = clock.now_ms()
    assert 0 <= time.monotonic() * 1000 - before < 2000
