"""no live upstreams: each peer with why it is left out."""

from __future__ import annotations

from pathlib import Path

from tests.dev.diagnosis.asking import causes, explaining
from tests.fakes import farm


async def test_each_peer_has_its_reason(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        first, second = await peers.refusing(), await peers.refusing()
        http = f"upstream pool {{ server {first} max_fails=1; server {second} max_fails=1; server 192.0.2.1:1 down; }}"
        async with explaining("location / { proxy_pass http://pool; }", tmp_path, http) as engine:
            await engine.get("/")
            assert (await engine.get("/")).status == 502
            text = causes(engine)[-1]
            assert text.startswith("upstream pool (nginx.conf:2) has no peer left for this request: ")
            assert f"{first} has failed (max_fails=1) and is left alone for " in text
            assert "192.0.2.1:1 is marked down" in text
