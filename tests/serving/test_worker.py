"""A worker's beginning and end."""

from __future__ import annotations

import errno
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


async def test_without_memory_it_is_said_once_a_second(autojump_clock: trio.testing.MockClock) -> None:
    sink = MemorySink()
    async with trio.open_nursery() as nursery:
        lane = Lane(clock=trio.current_time)
        await nursery.start(lane.run)
        worker = Worker([], lane, Log(sink), 0, 16)
        for _ in range(3):
            for _ in range(5):
                worker.out_of_memory()
            await trio.sleep(1.5)
        assert [line.partition("] ")[2].partition(": ")[2] for line in sink.lines] == (
            ["malloc() failed (12: Cannot allocate memory)"] * 3
        )
        nursery.cancel_scope.cancel()


async def test_accept_that_fails_is_told_as_nginx_does(autojump_clock: trio.testing.MockClock) -> None:
    sink = MemorySink()
    async with trio.open_nursery() as nursery:
        lane = Lane(clock=trio.current_time)
        await nursery.start(lane.run)
        worker = Worker([], lane, Log(sink), 0, 16)
        for number, times in ((errno.EMFILE, 5), (errno.ECONNABORTED, 2), (errno.EPERM, 1)):
            for _ in range(times):
                worker._accept_failed(number)
                await trio.sleep(0.5)
        await trio.sleep(60)
        worker._accept_failed(errno.EMFILE)
        nursery.cancel_scope.cancel()
    told = [line.partition("[")[2].partition("]")[0] for line in sink.lines if "accept4() failed (" in line]
    assert told == ["crit", "error", "error", "alert", "crit"]
