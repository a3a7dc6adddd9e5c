"""What requests see of their client's connection."""

from __future__ import annotations

from gateway.http.part import part_of
from tests.engine import serving


async def test_addresses_and_counts() -> None:
    text = '"$remote_addr $remote_port $connection_requests $scheme"'
    async with serving(f"server {{ listen 127.0.0.1:8080; location / {{ return 200 {text}; }} }}") as engine:
        one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        data = await engine.raw(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert b"127.0.0.1 40000 1 http" in data and data.endswith(b"127.0.0.1 40000 2 http")


async def test_a_log_handler_that_fails_is_an_alert_and_the_next_request_is_served() -> None:
    async with serving("server { listen 127.0.0.1:8080; location / { return 200 ok; } }") as engine:
        ended = []

        def fail(request: object) -> None:
            ended.append(request)
            raise RuntimeError("from the log phase")

        location = engine.cycle.servers[0].locations.prefixes[b"/"]
        engine.cycle.plan_of(location).log_handlers = (part_of(fail),)
        reply = await engine.get("/")
        assert reply.body == b"ok" and len(ended) == 1
        assert [line for line in engine.log.lines if "from the log phase" in line]
        engine.log.lines.clear()
