"""A handler of a connection's events raises: its requests end as others do, log and clean-ups too, and it is gone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import pytest
import trio

from gateway.core.counters import Counters
from gateway.http.module import DONE, Result
from gateway.http.plan import Plan
from gateway.http.request import Request
from tests.engine import Engine, serving
from tests.http2_client import http2, request
from tests.lanes import until

CONF = "server { listen 127.0.0.1:8080; http2 on; location / { return 204; } location /ok { return 200 ok; } }"


def boom() -> None:
    raise RuntimeError("a bug, as asked")


class Waiting:
    """Stands for a handler that waits for the client, and fails when it hears of it."""

    def __init__(self, engine: Engine) -> None:
        self.requests: list[Request] = []
        self.ended: list[Request] = []
        location = next(each for each in engine.cycle.servers[0].root.children if each.name == b"/")
        location.plan = Plan((None, self.content), (), (self.ended.append,))

    def content(self, request: Request) -> Result:
        self.requests.append(request)
        request.on_client_event = boom
        request.cleanups.append(lambda: self.ended.append(request))
        return DONE


def crashes(engine: Engine) -> int:
    """How often it was told; the log is empty then."""
    count = sum("[alert]" in line and "RuntimeError: a bug, as asked" in line for line in engine.log.lines)
    engine.log.lines.clear()
    return count


async def gone(engine: Engine, counted: Callable[[], int]) -> None:
    await until(lambda: not engine.worker.connections)
    assert counted() == 0


@pytest.fixture
def open_connections() -> Callable[[Engine], Callable[[], int]]:
    """Counts those that were accepted and not closed."""

    def counting(engine: Engine) -> Callable[[], int]:
        counters = Counters(1, shared=False)
        engine.worker.counters = counters.claim()

        def count() -> int:
            status = counters.read()
            return status.active + status.writing

        return count

    return counting


Counting = Callable[[Engine], Callable[[], int]]


async def test_http1(open_connections: Counting) -> None:
    async with serving(CONF) as engine:
        counted = open_connections(engine)
        waiting = Waiting(engine)
        async with engine.connect() as client:
            await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: bool(waiting.requests))
            await client.send_all(b"more")
            with contextlib.suppress(trio.BrokenResourceError):
                assert await client.receive_some() == b""
        await gone(engine, counted)
        assert waiting.ended == waiting.requests * 2
        assert crashes(engine) >= 1
        assert (await engine.get("/ok")).body == b"ok"


async def test_http1_at_a_deadline(open_connections: Counting) -> None:
    async with serving(CONF) as engine:
        counted = open_connections(engine)
        client = engine.connect()
        async with client:
            await until(lambda: bool(engine.worker.connections))
            (connection,) = engine.worker.connections
            connection.stream.on_deadline = boom
            connection.stream.set_deadline(engine.worker.lane.now + 0.01)
            assert await client.receive_some() == b""
        await gone(engine, counted)
        assert crashes(engine) == 1


async def test_all_streams_of_http2(open_connections: Counting) -> None:
    async with serving(CONF) as engine:
        counted = open_connections(engine)
        waiting = Waiting(engine)
        async with http2(engine) as client:
            for _ in range(3):
                await client.begin(request("/"))
            await until(lambda: len(waiting.requests) == 3)
            client.connection.reset_stream(1)
            await client.flush()
            await client.until_closed()
        await gone(engine, counted)
        assert sorted(map(id, waiting.ended)) == sorted(map(id, waiting.requests * 2))
        assert crashes(engine) >= 1
        assert (await engine.get("/ok")).body == b"ok"


async def test_while_it_is_accepted(open_connections: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(CONF) as engine:
        counted = open_connections(engine)

        def accept(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(engine.cycle, "accept", accept)
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(MemoryError):
            engine.worker.acceptor(engine.cycle.listenings[0])(theirs.fileno(), b"")
        assert counted() == 0
