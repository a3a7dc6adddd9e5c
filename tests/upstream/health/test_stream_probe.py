from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from gateway.upstream.health.probe_wire import ProbeFailed
from gateway.upstream.health.stream_match import StreamMatch, begins_with
from gateway.upstream.health.stream_probe import StreamProbe
from gateway.upstream.peers.address import Address, inet_address
from tests.fakes import farm, silent


async def greets(stream: trio.SocketStream) -> None:
    await stream.send_all(b"220 he")
    await trio.sleep(0.01)
    await stream.send_all(b"llo\r\n")
    with contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data[::-1])


def probe(match: StreamMatch | None = None, *, udp: bool = False, timeout_s: float = 0.2) -> StreamProbe:
    return StreamProbe(match or StreamMatch(), timeout_s, udp, None)


def at(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return inet_address(host, int(port))


async def test_a_connection_is_enough(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        await probe()(at(await peers.tcp(silent())))
        with pytest.raises(ProbeFailed) as caught:
            await probe()(at(await peers.refusing()))
        assert caught.value.doing == b"connecting to upstream" and b"Connection refused" in caught.value.found


async def test_what_is_expected(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = at(await peers.tcp(greets))
        await probe(StreamMatch(expect=begins_with(b"220 hello")))(address)
        await probe(StreamMatch(send=b"abc", expect=lambda got: got.endswith(b"cba")))(address)
        with pytest.raises(ProbeFailed) as caught:
            await probe(StreamMatch(expect=begins_with(b"250")))(address)
        assert caught.value.doing == b"waiting for data from upstream" and b"timed out" in caught.value.found


async def test_a_peer_that_closes(tmp_path: Path) -> None:
    async def closes(stream: trio.SocketStream) -> None:
        await stream.send_all(b"no")

    async with farm(tmp_path) as peers:
        with pytest.raises(ProbeFailed, match="unexpected answer"):
            await probe(StreamMatch(expect=begins_with(b"yes")))(at(await peers.tcp(closes)))


@contextlib.asynccontextmanager
async def datagrams(answer: bytes | None) -> AsyncIterator[tuple[Address, list[bytes]]]:
    got: list[bytes] = []
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        await wire.bind(("127.0.0.1", 0))

        async def serve() -> None:
            while True:
                data, client = await wire.recvfrom(1000)
                got.append(data)
                if answer is not None:
                    await wire.sendto(answer, client)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield inet_address("127.0.0.1", wire.getsockname()[1]), got
            nursery.cancel_scope.cancel()


async def test_udp() -> None:
    async with datagrams(b"pong") as (address, got):
        await probe(StreamMatch(send=b"ping", expect=begins_with(b"pong")), udp=True)(address)
        with pytest.raises(ProbeFailed, match="unexpected answer"):
            await probe(StreamMatch(send=b"ping", expect=begins_with(b"ping")), udp=True)(address)
        assert got == [b"ping", b"ping"]


async def test_udp_without_a_match() -> None:
    async with datagrams(None) as (address, got):
        await probe(udp=True, timeout_s=0.05)(address)
        assert got == [b"nginx health check"]
        with pytest.raises(ProbeFailed, match="timed out"):
            await probe(StreamMatch(send=b"x", expect=begins_with(b"y")), udp=True, timeout_s=0.05)(address)
    with pytest.raises(ProbeFailed, match="Connection refused"):
        await probe(udp=True)(address)
