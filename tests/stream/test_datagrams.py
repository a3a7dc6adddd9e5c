"""UDP: sessions by the client's address."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import trio

from tests.stream_engine import serving


class Client:
    """A socket of datagrams."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = (host, port)

    async def send(self, data: bytes) -> None:
        await self.socket.sendto(data, self.address)

    async def read(self) -> bytes:
        with trio.fail_after(3):
            return (await self.socket.recvfrom(65536))[0]

    async def ask(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.read()


@contextlib.asynccontextmanager
async def client(port: int, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    made = Client(port, host)
    try:
        yield made
    finally:
        made.socket.close()


CONF = """
server { listen 53 udp; return "$protocol $remote_addr $server_addr:$server_port $bytes_received $connection"; }
server { listen 54 udp; deny all; return no; }
"""


async def test_a_text_for_each_datagram() -> None:
    async with serving(CONF) as engine:
        with engine.receiving() as port:
            async with client(port) as one, client(port) as other:
                assert await one.ask(b"a") == b"UDP 127.0.0.1 0.0.0.0:53 1 1"
                assert await other.ask(b"a") == b"UDP 127.0.0.1 0.0.0.0:53 1 2"
                assert await one.ask(b"") == b"UDP 127.0.0.1 0.0.0.0:53 0 3"
                await engine.ended()
        assert engine.logged("udp client 127.0.0.1:")


async def test_an_answer_comes_from_where_the_client_has_asked() -> None:
    async with serving(CONF) as engine:
        with engine.receiving(host="0.0.0.0") as port:
            async with client(port, "127.0.0.3") as one:
                await one.send(b"a")
                with trio.fail_after(3):
                    data, sender = await one.socket.recvfrom(1000)
                assert sender == ("127.0.0.3", port)
                assert data == b"UDP 127.0.0.1 127.0.0.3:53 1 1"


async def test_refused_and_full() -> None:
    async with serving(CONF, worker_connections=0) as engine:
        with engine.receiving() as port:
            async with client(port) as one:
                await one.send(b"a")
                await trio.sleep(0.1)
        (line,) = engine.logged("0 worker_connections are not enough")
        assert "[alert]" in line
        engine.log.lines.clear()
    async with serving(CONF) as engine:
        with engine.receiving(1) as port:
            async with client(port) as one:
                await one.send(b"a")
                with trio.fail_after(3):
                    while not engine.logged("access forbidden by rule"):
                        await trio.sleep(0.01)
