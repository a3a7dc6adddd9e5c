"""What a client's connection does between and after requests."""

from __future__ import annotations

import trio

from tests.engine import serving

SLOW = """
limit_req_zone $uri zone=one:1m rate=10r/s;
server {
    listen 127.0.0.1:8080;
    location / { limit_req zone=one burst=5; }
}
"""


async def test_a_request_under_way_when_the_worker_ends_is_the_last_of_its_connection() -> None:
    async with serving(SLOW) as engine:
        await engine.get("/slow")
        data = b""
        async with engine.connect() as stream:
            await stream.send_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            await trio.sleep(0.02)
            engine.worker.close_idle()
            async for chunk in stream:
                data += chunk
        assert data.startswith(b"HTTP/1.1 404 ") and b"Connection: close" in data
