"""What requests see of their client's connection."""

from __future__ import annotations

import pytest

from gateway.http.part import log_phase, part_of
from tests.engine import serving
from tests.http2_client import http2


async def test_addresses_and_counts() -> None:
    text = '"$remote_addr $remote_port $connection_requests $scheme"'
    async with serving(f"server {{ listen 127.0.0.1:8080; location / {{ return 200 {text}; }} }}") as engine:
        one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        data = await engine.raw(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert b"127.0.0.1 40000 1 http" in data and data.endswith(b"127.0.0.1 40000 2 http")


@pytest.mark.parametrize("handlers", [1, 2, 3])
async def test_a_log_handler_that_fails_is_an_alert_and_the_next_request_is_served(handlers: int) -> None:
    """And the handlers behind it run."""
    async with serving("server { listen 127.0.0.1:8080; location / { return 200 ok; } }") as engine:
        ended = []

        def fail(request: object) -> None:
            ended.append(request)
            raise RuntimeError("from the log phase")

        location = engine.cycle.servers[0].locations.prefixes[b"/"]
        engine.cycle.plan_of(location).log = log_phase([part_of(fail)] * handlers)
        for count in (1, 2):
            reply = await engine.get("/")
            assert reply.body == b"ok" and len(ended) == count * handlers
        assert len([line for line in engine.log.lines if "from the log phase" in line]) == 2 * handlers
        engine.log.lines.clear()


async def test_a_field_that_is_left_out_is_told_as_by_nginx() -> None:
    text = "server { listen 127.0.0.1:8080; http2 on; location / { return 200 -$http_api_key-; } }"
    async with serving(text) as engine:
        reply = await engine.get("/x", {"API_KEY": "1", "B_": "2"})
        assert reply.body == b"--"
        async with http2(engine) as client:
            await client.get("/y", (b"api_key", b"1"))
        told = [line for line in engine.log.lines if "invalid header" in line]
    rest = 'while reading client request headers, client: 127.0.0.1, server: , request: "GET'
    assert [line.partition("client sent ")[2].partition(" /")[0] for line in told] == [
        f'invalid header line: "API_KEY: 1" {rest}',
        f'invalid header line: "B_: 2" {rest}',
        f'invalid header: "api_key" {rest}',
    ]
