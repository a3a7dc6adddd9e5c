"""A worker's beginning and end."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from gateway import modules
from gateway.config.directive import Context
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.lane import Lane
from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import LOG, Log
from gateway.core.zones import ZONES
from gateway.serving.cycle import BLOCKS, BlockCycle
from gateway.serving.worker import Worker
from tests.engine import MemorySink, load_http
from tests.lanes import until
from tests.stream_engine import PEER


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
    causes = [line.partition("cause: ")[2] for line in sink.lines if "cause: " in line]
    assert len(causes) == 2  # of EMFILE
    assert all("all are in use" in cause and "worker_rlimit_nofile" in cause for cause in causes)


# -- worker_connections --------------------------------------------------------------------------------------------

BOTH = """
http {{
    {http}
    server {{ listen 127.0.0.1:80; location / {{ return 200 hi; }} location /p {{ proxy_pass http://back; }} }}
}}
stream {{ server {{ listen 127.0.0.1:81; proxy_pass 127.0.0.1:{port}; }} }}
"""


def load_blocks(text: str, log: Log) -> list[BlockCycle]:
    source = parse(text, "nginx.conf", conf_prefix="/")
    loader = Loader(modules.MODULES, prefix="/", conf_prefix="/")
    zones = loader.parts.get(ZONES)
    loader.parts.put(LOG, log)
    loader.walk(source.statements, Scope(Context.MAIN))
    zones.map()
    return [loader.parts.get(BLOCKS)[name] for name in ("http", "stream")]


class Blocks:
    """One worker with an http and a stream block; clients by a letter each."""

    def __init__(self, text: str, worker_connections: int) -> None:
        self.sink = MemorySink()
        self.log = Log(self.sink)
        self.cycles = load_blocks(text, self.log)
        self.worker_connections = worker_connections
        self.worker: Worker
        self.clients: list[trio.SocketStream] = []

    def connect(self, block: int) -> trio.SocketStream:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.worker.acceptor(self.cycles[block].listenings[0])(theirs.detach(), PEER)
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    async def open(self, kind: str) -> trio.SocketStream:
        """b: a request has begun. i: one is answered, and the connection kept. p: passed on. s: of the stream block."""
        client = self.connect(int(kind == "s"))
        rest = b" HTTP/1.1\r\nHost: a\r\n\r\n"
        lines = {"b": b"GET / HT", "i": b"GET /" + rest, "p": b"GET /p" + rest}
        if kind in lines:
            with contextlib.suppress(trio.BrokenResourceError):
                await client.send_all(lines[kind])
        if kind in "ip":
            with contextlib.suppress(trio.BrokenResourceError):
                self.answer = await client.receive_some()
        await trio.sleep(0.01)
        self.clients.append(client)
        return client

    @staticmethod
    async def is_open(client: trio.SocketStream) -> bool:
        with trio.move_on_after(0.01):
            with contextlib.suppress(trio.BrokenResourceError):
                await client.receive_some()
            return False
        return True


@contextlib.asynccontextmanager
async def both(http: str, worker_connections: int) -> AsyncIterator[Blocks]:
    async with trio.open_nursery() as nursery:
        peers = await nursery.start(trio.serve_tcp, answering, 0)
        port = peers[0].socket.getsockname()[1]
        upstream = f"upstream back {{ server 127.0.0.1:{port}; {http} }}"
        blocks = Blocks(BOTH.format(http=upstream, port=port), worker_connections)
        lane = Lane()
        await nursery.start(lane.run)
        blocks.worker = Worker(blocks.cycles, lane, blocks.log, 0, worker_connections)
        blocks.worker.nursery = nursery
        blocks.worker.start([])
        yield blocks
        blocks.worker.abort()
        for client in blocks.clients:
            await client.aclose()
        nursery.cancel_scope.cancel()


async def answering(stream: trio.SocketStream) -> None:
    async for _ in stream:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ("bbbbbbbb", "bbbb----"),
        ("ssss", "ss--"),  # each of them has one to its upstream, too
        ("bbsbb", "bbs--"),
        ("sbbb", "sbb-"),
        ("bsbb", "bsb-"),
        ("bbbs", "bbb-"),  # none is left for its upstream
        ("iiiiii", "--iiii"),  # those that wait make room, the longest first
        ("iibbbb", "--bbbb"),
        ("bibibbb", "b-b-bb-"),
        ("pbbbb", "-bbbb"),  # first p's own connection, then the one that is kept to the upstream
    ],
)
async def test_all_connections_of_all_blocks_count(kinds: str, left: str) -> None:
    async with both("keepalive 1;", 4) as blocks:
        clients = [await blocks.open(kind) for kind in kinds]
        states = [kind if await blocks.is_open(client) else "-" for kind, client in zip(kinds, clients, strict=True)]
        assert "".join(states) == left
        refused = [line for line in blocks.sink.lines if "[alert]" in line]
        assert all("4 worker_connections are not enough" in line for line in refused)
        assert bool(refused) is any(kind in "bs" and state == "-" for kind, state in zip(kinds, states, strict=True))


async def test_none_for_an_upstream_is_an_error_of_ours() -> None:
    async with both("keepalive 0;", 3) as blocks:
        await blocks.open("b")
        await blocks.open("b")
        await blocks.open("p")
        assert blocks.answer.startswith(b"HTTP/1.1 500 ")
        (line,) = [line for line in blocks.sink.lines if "[alert]" in line]
        assert "3 worker_connections are not enough while connecting to upstream, client: 127.0.0.1" in line


async def test_they_are_told_of_once_a_second() -> None:
    async with both("keepalive 0;", 2) as blocks:
        began = trio.current_time()
        for _ in range(20):
            await blocks.open("i")
        warned = [line for line in blocks.sink.lines if "reusing connections" in line]
        assert 1 <= len(warned) <= trio.current_time() - began + 2
        assert "[warn]" in warned[0] and "2 worker_connections are not enough, reusing connections" in warned[0]


async def test_an_eighth_of_those_that_wait_is_closed_at_once() -> None:
    async with both("keepalive 0;", 64) as blocks:
        for _ in range(60):
            await blocks.open("i")
        # a sixteenth of 64 is left: from here on each one makes room for more than itself
        await blocks.open("b")
        assert len(blocks.worker.connections) == 60 - 60 // 8 + 1
