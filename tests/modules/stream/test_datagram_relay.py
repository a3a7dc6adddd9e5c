"""proxy_pass of datagrams: how many belong to a session, and when it is over."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import trio

from gateway.modules.stream.datagram_relay import Pace
from tests.ports import free_port
from tests.stream.test_datagrams import client
from tests.stream_engine import Engine, serving


class Backend:
    """Answers each datagram with its sender's port, and as many more as its text says."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.socket = sock
        self.port: int = sock.getsockname()[1]
        self.mute = False
        self.seen: list[bytes] = []

    async def run(self) -> None:
        while True:
            data, peer = await self.socket.recvfrom(65536)
            self.seen.append(data)
            if self.mute:
                continue
            await self.socket.sendto(b"%d" % peer[1], peer)
            for number in range(int(data) - 1 if data.isdigit() else 0):
                await self.socket.sendto(b"more %d" % number, peer)


@contextlib.asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    made = Backend(sock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()
    sock.close()


def conf(port: int, more: str = "") -> str:
    return f"server {{ listen 53 udp; proxy_pass 127.0.0.1:{port}; {more} }}"


async def said(engine: Engine, words: str, count: int = 1) -> None:
    with trio.fail_after(3):
        while len(engine.logged(words)) < count:
            await trio.sleep(0.01)


async def test_a_client_keeps_its_session() -> None:
    async with backend() as there, serving(conf(there.port)) as engine:
        with engine.receiving() as port:
            async with client(port) as one, client(port) as other:
                first = await one.ask(b"1")
                assert await one.ask(b"1") == first
                assert await other.ask(b"1") != first
                assert len(engine.worker.connections) == 2
        assert engine.logged("udp proxy 127.0.0.1:")
        await engine.ended()
        assert engine.logged("disconnected on shutdown")


@pytest.mark.parametrize("requests", [1, 2])
async def test_so_many_datagrams_belong_to_a_session(requests: int) -> None:
    async with backend() as there, serving(conf(there.port, f"proxy_requests {requests};")) as engine:
        with engine.receiving() as port:
            async with client(port) as one:
                for _ in range(2):
                    # also when they come at once
                    for _ in range(2 * requests):
                        await one.send(b"1")
                    ports = [await one.read() for _ in range(2 * requests)]
                    assert len(set(ports)) == 2
                    assert len(set(ports[:requests])) == 1


async def test_a_session_ends_with_its_answers() -> None:
    async with backend() as there, serving(conf(there.port, "proxy_responses 2;")) as engine:
        with engine.receiving() as port:
            async with client(port) as one:
                await one.send(b"2")
                assert [(await one.read())[:4], await one.read()][1] == b"more 0"
                await engine.ended()
        (line,) = engine.logged("udp done")
        assert "packets from/to client:1/2, bytes from/to client:1/11" in line


async def test_none_is_expected() -> None:
    async with backend() as there, serving(conf(there.port, "proxy_responses 0;")) as engine:
        with engine.receiving() as port:
            async with client(port) as one:
                await one.send(b"log line")
                await engine.ended()
                with trio.fail_after(3):
                    while not there.seen:
                        await trio.sleep(0.01)
        assert there.seen == [b"log line"]


async def test_time_is_over() -> None:
    async with backend() as there:
        there.mute = True
        async with serving(conf(there.port, "proxy_timeout 100ms;")) as engine:
            with engine.receiving() as port:
                async with client(port) as one:
                    await one.send(b"1")
                    await said(engine, "udp timed out, packets from/to client:1/0")
        async with serving(conf(there.port, "proxy_timeout 100ms; proxy_responses 1;")) as engine:
            with engine.receiving() as port:
                async with client(port) as one:
                    await one.send(b"1")
                    await said(engine, "[error]")
            assert engine.logged("upstream timed out (110:")


async def test_nobody_there() -> None:
    port = free_port()
    upstream = f"upstream u {{ server 127.0.0.1:{port}; server 127.0.0.1:{port}; }}"
    text = upstream + "server { listen 53 udp; proxy_pass u; proxy_responses 1; }"
    async with serving(text) as engine:
        with engine.receiving() as listening:
            async with client(listening) as one:
                for count in (1, 2):
                    await one.send(b"1")
                    await said(engine, "udp done", count)
                    await engine.ended()
                assert len(engine.logged("recv() failed (111:")) == 2
                await one.send(b"1")
                await said(engine, "no live upstreams")


async def test_the_header_goes_with_the_first_datagram() -> None:
    async with backend() as there, serving(conf(there.port, "proxy_protocol on;")) as engine:
        with engine.receiving() as port:
            async with client(port) as one:
                await one.ask(b"1")
                await one.ask(b"2")
        assert there.seen[0].startswith(b"PROXY TCP4 127.0.0.1 ")
        assert there.seen[0].endswith(b"\r\n1")
        assert there.seen[1] == b"2"


def test_pace() -> None:
    pace = Pace(100, 10.0, 0)
    assert pace.allows(10.0)
    pace.count(100, 10.0)
    assert pace.delayed_until == 11.0
    assert not pace.allows(10.5)
    assert pace.allows(11.1)
    pace.count(200, 11.1)
    assert not pace.allows(13.0)
    assert pace.allows(13.2)
    assert Pace(0, 10.0, 0).allows(0.0)
