from __future__ import annotations

import pytest

from gateway.stream.plan import Plan
from tests.stream_engine import serving


async def test_more_than_worker_connections() -> None:
    async with serving("server { listen 127.0.0.1:7777 proxy_protocol; return hi; }", 1) as engine:
        first = engine.connect()
        assert await engine.talk() == b""
        assert len(engine.logged("[alert]")) == len(engine.logged("1 worker_connections are not enough")) == 1
        engine.log.lines.clear()
        await first.aclose()


async def test_shutdown_timeout() -> None:
    async with serving("server { listen 127.0.0.1:7777 proxy_protocol; return hi; }") as engine:
        async with engine.connect() as client:
            engine.worker.close_idle()
            assert engine.worker.active == 1  # a session is never idle
            engine.worker.abort()
            assert await client.receive_some() == b""
        assert len(engine.logged("shutdown timeout")) == 1


async def test_a_bug_in_a_handler_ends_its_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving("server { listen 127.0.0.1:7777; return hi; }") as engine:
        plan = engine.cycle.servers[0].plan

        async def wrong(session: object) -> int:
            raise RuntimeError("oh")

        seen: list[int] = []
        engine.cycle.servers[0].plan = Plan([], wrong, [lambda session: seen.append(session.status)])
        assert await engine.talk() == b""
        (line,) = engine.logged("internal error")
        assert "[alert]" in line and "RuntimeError: oh" in line
        assert seen == [500]
        engine.log.lines.clear()
        engine.cycle.servers[0].plan = plan
        assert await engine.talk() == b"hi"
