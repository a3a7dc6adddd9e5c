"""stub_status: the page and its variables."""

from __future__ import annotations

from gateway.core.counters import Counters
from gateway.modules.http import stub_status
from tests.engine import Engine, serving

TEXT = """server { listen 127.0.0.1:80; location / { stub_status; add_header X-Active $connections_active;
    add_header X-Rest $connections_reading/$connections_writing/$connections_waiting; } }"""


def count(engine: Engine) -> None:
    counters: Counters = engine.cycle.scope.conf(stub_status.module, "main").counters
    engine.worker.counters = counters.claim()


async def test_the_page() -> None:
    async with serving(TEXT) as engine:
        count(engine)
        idle = engine.connect()
        reading = engine.connect()
        async with idle, reading:
            await reading.send_all(b"GET / HTT")
            for _ in range(2):
                reply = await engine.get("/")
            assert reply.header("content-type") == b"text/plain"
            assert reply.body.decode() == (
                "Active connections: 3 \nserver accepts handled requests\n"
                " 4 4 2 \nReading: 1 Writing: 1 Waiting: 1 \n"
            )
            assert (reply.header("x-active"), reply.header("x-rest")) == (b"3", b"1/1/1")
        reply = await engine.get("/")
        assert b"Active connections: 1 \n" in reply.body
        assert b"Reading: 0 Writing: 1 Waiting: 0 \n" in reply.body


async def test_methods() -> None:
    async with serving(TEXT) as engine:
        reply = await engine.request("HEAD", "/")
        assert (reply.status, reply.body) == (200, b"")
        assert (await engine.request("POST", "/", body=b"x")).status == 405
