"""Upstream peers that behave well or badly, one set for all protocols.

A peer is `async def peer(stream)`; a behaviour makes one. Without another `speech` it speaks uwsgi.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from tests.ports import free_port
from tests.speeches import UWSGI, Asked, Speech

Peer = Callable[[trio.SocketStream], Awaitable[None]]

read_packet = UWSGI.read

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"


def answer(data: bytes = OK, *, asked: list[Asked] | None = None, speech: Speech = UWSGI) -> Peer:
    """Read the request, send these bytes, close."""

    async def peer(stream: trio.SocketStream) -> None:
        request = await speech.read(stream)
        if request is not None:
            if asked is not None:
                asked.append(request)
            await stream.send_all(data)

    return peer


def answer_with(make: Callable[[Asked], bytes], *, speech: Speech = UWSGI) -> Peer:
    """Read the request, send what `make` says, close."""

    async def peer(stream: trio.SocketStream) -> None:
        request = await speech.read(stream)
        if request is not None:
            await stream.send_all(make(request))

    return peer


def answer_always(data: bytes, *, asked: list[Asked] | None = None, speech: Speech = UWSGI) -> Peer:
    """Answer each request of a connection with these bytes."""

    async def peer(stream: trio.SocketStream) -> None:
        while (request := await speech.read(stream)) is not None:
            if asked is not None:
                asked.append(request)
            await stream.send_all(data)

    return peer


def silent(seconds: float = 3600) -> Peer:
    """Accept, read, and say nothing."""

    async def peer(stream: trio.SocketStream) -> None:
        with trio.move_on_after(seconds):
            while await stream.receive_some(65536):
                pass

    return peer


def cut_after(count: int, data: bytes = OK, *, speech: Speech = UWSGI) -> Peer:
    """Send the first bytes of an answer, then close."""
    return answer(data[:count], speech=speech)


def reset_after(count: int, data: bytes = OK, *, speech: Speech = UWSGI) -> Peer:
    """Send the first bytes of an answer, then reset the connection (TCP)."""

    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        if count:
            await stream.send_all(data[:count])
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()

    return peer


def dribble(data: bytes = OK, pause: float = 0.01, size: int = 1, *, speech: Speech = UWSGI) -> Peer:
    """Send an answer in small parts."""

    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        for at in range(0, len(data), size):
            await stream.send_all(data[at : at + size])
            await trio.sleep(pause)

    return peer


def close_at_once() -> Peer:
    """Accept and close without reading."""

    async def peer(stream: trio.SocketStream) -> None:
        return

    return peer


GARBAGE = b"\x00\x17SSH-2.0 is not what you want\r\n\r\n"
HUGE_HEAD = b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 70000 + b"\r\n\r\n"
TWO_ANSWERS = OK + OK


class Farm:
    """Peers that listen, each at an address of its own; `hits` counts the connections of each."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.folder = folder
        self.hits: dict[str, int] = {}

    async def tcp(self, peer: Peer, *, host: str = "127.0.0.1") -> str:
        """Start a peer on a port of 127.0.0.1, or of another address of this machine; its address."""
        listeners = await trio.open_tcp_listeners(0, host=host)
        address = f"{host}:{listeners[0].socket.getsockname()[1]}"
        return await self._serve(address, listeners, peer)

    async def unix(self, peer: Peer) -> str:
        """Start a peer on a unix socket; its address."""
        path = str(self.folder / f"peer{len(self.hits)}.sock")
        listening = trio.socket.socket(socket.AF_UNIX)
        await listening.bind(path)
        listening.listen(100)
        return await self._serve(f"unix:{path}", [trio.SocketListener(listening)], peer)

    async def refusing(self) -> str:
        """An address where nobody listens."""
        address = f"127.0.0.1:{free_port()}"
        self.hits[address] = 0
        return address

    async def _serve(self, address: str, listeners: list[trio.SocketListener], peer: Peer) -> str:
        self.hits[address] = 0

        async def handle(stream: trio.SocketStream) -> None:
            self.hits[address] += 1
            async with stream:
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await peer(stream)

        async def serve(task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
            await trio.serve_listeners(handle, listeners, task_status=task_status)

        await self.nursery.start(serve)
        return address


@contextlib.asynccontextmanager
async def farm(folder: Path) -> AsyncIterator[Farm]:
    """A field of peers; all of them end with it."""
    async with trio.open_nursery() as nursery:
        yield Farm(nursery, folder)
        nursery.cancel_scope.cancel()
