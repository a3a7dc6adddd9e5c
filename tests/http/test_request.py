"""The engine's life of a request, without modules that serve anything."""

from __future__ import annotations

import gc

from gateway.http.request import Request
from tests.engine import serving

PLAIN = "server { listen 127.0.0.1:8080; root /usr; location / { index no-such-file; } location /in { internal; } }"


async def test_nothing_to_serve_is_404_and_directories_403() -> None:
    async with serving(PLAIN) as engine:
        reply = await engine.get("/x")
        assert reply.status == 404
        assert b"<center><h1>404 Not Found</h1></center>" in reply.body
        assert (await engine.get("/")).status == 403
        assert (await engine.get("/in")).status == 404


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert data.count(b"HTTP/1.1 404 Not Found\r\n") == 2
        assert b"Connection: keep-alive" in data and b"Connection: close" in data


async def test_a_request_that_is_none_is_400() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    # A collection for every few requests costs a fifth of a small one.
    async with serving(PLAIN) as engine:
        await engine.get("/x")
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await engine.get("/x")
            assert [each for each in gc.get_objects() if isinstance(each, Request)] == []
        finally:
            gc.enable()
