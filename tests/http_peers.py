"""HTTP/1 upstreams for tests: what they heard, what they answer, and a server that passes to one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from tests.engine import Engine, serving
from tests.fakes import Peer, farm

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


@dataclass
class Heard:
    """One request as an upstream got it; header names are lower case."""

    line: bytes
    fields: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes = b""


class Hearing:
    """Reads requests off a connection: heads at once, bodies when asked for."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def more(self) -> bool:
        data = await self.stream.receive_some(65536)
        self.buffer += data
        return bool(data)

    async def head(self) -> Heard | None:
        """The next request's head; None at the connection's end."""
        while b"\r\n\r\n" not in self.buffer:
            if not await self.more():
                return None
        raw, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *rest = raw.split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (item.partition(b":") for item in rest)}
        return Heard(line, fields, raw=raw)

    async def body(self, heard: Heard) -> bytes:
        """The rest of a request, its framing taken off."""
        if heard.fields.get(b"transfer-encoding") == b"chunked":
            while not (self.buffer.endswith(b"0\r\n\r\n") and (len(self.buffer) == 5 or self.buffer[-6:-5] == b"\n")):
                if not await self.more():
                    break
            rest, self.buffer = self.buffer, b""
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                heard.body += rest[: int(size, 16)]
                rest = rest[int(size, 16) + 2 :]
            return heard.body
        wanted = int(heard.fields.get(b"content-length", 0))
        while len(self.buffer) < wanted:
            if not await self.more():
                break
        heard.body, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
        return heard.body


def answering(answer: bytes | Callable[[Heard], bytes] = OK, heard: list[Heard] | None = None) -> Peer:
    """Answer each request of a connection, whole, and keep it open as long as the other side does."""

    async def peer(stream: trio.SocketStream) -> None:
        hearing = Hearing(stream)
        while (request := await hearing.head()) is not None:
            await hearing.body(request)
            if heard is not None:
                heard.append(request)
            await stream.send_all(answer if isinstance(answer, bytes) else answer(request))

    return peer


def closing(answer: bytes | Callable[[Heard], bytes] = OK, heard: list[Heard] | None = None) -> Peer:
    """Answer one request, and close."""

    async def peer(stream: trio.SocketStream) -> None:
        hearing = Hearing(stream)
        request = await hearing.head()
        if request is not None:
            await hearing.body(request)
            if heard is not None:
                heard.append(request)
            await stream.send_all(answer if isinstance(answer, bytes) else answer(request))

    return peer


def talking(talk: Callable[[trio.SocketStream, Hearing, Heard], Awaitable[None]]) -> Peer:
    """Read a head, and leave the rest to `talk`."""

    async def peer(stream: trio.SocketStream) -> None:
        hearing = Hearing(stream)
        request = await hearing.head()
        if request is not None:
            await talk(stream, hearing, request)

    return peer


@asynccontextmanager
async def proxied(
    peer: Peer | str, tmp_path: Path, inside: str = "", outside: str = "", *, kept: bool = False
) -> AsyncIterator[Engine]:
    """A server whose location / passes to this peer (or address); `kept`: by an upstream block, which keeps alive."""
    async with farm(tmp_path) as peers:
        address = peer if isinstance(peer, str) else await peers.tcp(peer)
        text = f"""
            upstream back {{ server {address}; }}
            proxy_temp_path {tmp_path}; client_body_temp_path {tmp_path};
            server {{ listen 127.0.0.1:8080; server_name localhost; {outside}
                location / {{ proxy_pass http://{"back" if kept else address}; {inside} }}
                location /plain {{ return 200 "plain:$request_method:$uri"; }}
                location @named {{ return 200 named; }}
            }}"""
        async with serving(text) as engine:
            yield engine


async def receive_until(client: trio.SocketStream, end: bytes, data: bytes = b"") -> bytes:
    """Read until what came ends so."""
    with trio.fail_after(5):
        while not data.endswith(end):
            more = await client.receive_some(65536)
            assert more, data
            data += more
    return data
