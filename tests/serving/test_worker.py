"""A worker's beginning and end."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
import trio.testing

from gateway.core.lane import Lane
from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import Log
from gateway.serving.worker import Worker
from tests.engine import MemorySink, load_http
from tests.lanes import until


@pytest.mark.parametrize("end", ["ready", "never", "exits"])
async def test_accepts_when_all_is_there_or_a_moment_later(
    autojump_clock: trio.testing.MockClock, end: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        bound.setblocking(False)
        cycle = load_http("server { listen 127.0.0.1:80; return 204; }")
        known: list[Any] = []
        cycle.ready.append(lambda: bool(known))
        async with trio.open_nursery() as nursery:
            lane = Lane(clock=trio.current_time)
            await nursery.start(lane.run)
            worker = Worker([cycle], lane, Log(MemorySink()), 0, 16)
            worker.nursery = nursery
            address: ListenAddress = cycle.listens[0]
            worker.start([Listener(address, bound)])
            with trio.socket.socket() as client:
                await client.connect(bound.getsockname())
                await trio.sleep(0.05)
                assert not worker.connections
                if end == "exits":
                    worker.close_listeners()
                    worker.close_idle()
                    known.append(1)
                    await trio.sleep(1)
                    assert not worker.connections
                else:
                    if end == "ready":
                        known.append(1)
                    await until(lambda: bool(worker.connections))
                    assert (trio.current_time() < 0.08) is (end == "ready")
            worker.close_listeners()
            worker.abort()
            nursery.cancel_scope.cancel()
