from __future__ import annotations

from pathlib import Path

import trio

from tests.engine import serving
from tests.fakes import answer, farm, silent


async def test_the_less_busy_peer_is_asked(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        busy, free = await peers.tcp(silent()), await peers.tcp(answer())
        text = f"""upstream u {{ least_conn; server {busy}; server {free}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}"""
        async with serving(text) as engine:
            client = engine.connect()
            await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await trio.sleep(0.05)
            for _ in range(4):
                assert (await engine.get("/")).status == 200
            assert peers.hits == {busy: 1, free: 4}
            await client.aclose()
