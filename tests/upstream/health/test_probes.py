from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from gateway.upstream.exchange.conf import Local, UpstreamConf
from gateway.upstream.health.probe_wire import ProbeFailed
from gateway.upstream.health.probes import ConnectProbe, PingProbe
from gateway.upstream.peers.address import Address, inet_address, unix_address
from tests.fakes import farm, silent


class Conf(UpstreamConf):
    prefix = "uwsgi"


def conf(**settings: object) -> UpstreamConf:
    made = Conf()
    for name, value in settings.items():
        setattr(made, name, value)
    made.merge(None)
    return made


def parsed(text: str) -> Address:
    if text.startswith("unix:"):
        return unix_address(text[5:].encode())
    host, _, port = text.rpartition(":")
    return inet_address(host, int(port))


async def test_connections_of_each_family(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        for address in (await peers.tcp(silent()), await peers.unix(silent())):
            await ConnectProbe(conf())(parsed(address))
        (listener,) = await trio.open_tcp_listeners(0, host="::1")
        async with listener:
            await ConnectProbe(conf())(inet_address("::1", listener.socket.getsockname()[1]))
        with pytest.raises(ProbeFailed) as caught:
            await ConnectProbe(conf())(parsed(await peers.refusing()))
        assert (caught.value.doing, caught.value.found) == (b"connecting to upstream", b"111: Connection refused")


async def test_the_address_of_bind(tmp_path: Path) -> None:
    seen: list[str] = []

    async def peer(stream: trio.SocketStream) -> None:
        seen.append(stream.socket.getpeername()[0])
        await stream.send_all(b"\x64\0\0\1")

    async with farm(tmp_path) as peers:
        bound = conf(local=Local(inet_address("127.0.0.7", 0), None))
        await PingProbe(bound)(parsed(await peers.tcp(peer)))
    assert seen == ["127.0.0.7"]


async def test_a_full_backlog_is_a_time_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        with pytest.raises(ProbeFailed) as caught:
            await ConnectProbe(conf(connect_timeout=0.05))(inet_address("127.0.0.1", port))
        assert (caught.value.doing, caught.value.found) == (b"connecting to upstream", b"110: Connection timed out")
        for filler in fillers:
            filler.close()


async def test_a_ping_in_parts(tmp_path: Path) -> None:
    async def peer(stream: trio.SocketStream) -> None:
        assert await stream.receive_some(100) == b"\x64\0\0\0"
        for at in range(7):
            await stream.send_all(b"\x64\3\0\1abc"[at : at + 1])
            await trio.sleep(0)

    async with farm(tmp_path) as peers:
        with pytest.raises(ProbeFailed) as caught:
            await PingProbe(conf())(parsed(await peers.tcp(peer)))
        assert caught.value.found == b"warning: abc"


async def test_a_reset_has_its_reason(tmp_path: Path) -> None:
    async def peer(stream: trio.SocketStream) -> None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with farm(tmp_path) as peers:
        with pytest.raises(ProbeFailed) as caught:
            await PingProbe(conf())(parsed(await peers.tcp(peer)))
        assert caught.value.found == b"104: Connection reset by peer"
