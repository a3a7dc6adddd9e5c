from __future__ import annotations

from tests.stream_engine import serving


async def test_shares() -> None:
    conf = "split_clients $remote_addr $part { 100% all; } server { listen 1; return $part; }"
    async with serving(conf) as engine:
        assert await engine.talk() == b"all"
