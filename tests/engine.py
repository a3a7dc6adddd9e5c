"""A configuration's http block at work in the test's own process, over socket pairs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

from gateway import modules
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.lane import Lane
from gateway.core.logs import DEBUG, LOG, Log
from gateway.core.zones import ZONES
from gateway.http.cycle import HttpCycle
from gateway.http.setters import locations_of
from gateway.serving.cycle import BLOCKS
from gateway.serving.worker import Worker
from tests import settings


class MemorySink:
    """An error log in memory."""

    level = DEBUG

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, level: int, line: bytes) -> None:
        self.lines.append(line.decode("latin-1").rstrip("\n"))


def defects(lines: list[str]) -> list[str]:
    """What no test's log may have, unless the test asked for it and took it out: an alert, a traceback of ours."""
    return [line for line in lines if "[alert]" in line or "Traceback" in line or "cause: not found out" in line]


def warnings_of(text: str, prefix: str = "/") -> list[str]:
    """What the loader warns of in an http block with this inside."""
    found: list[ConfigError] = []
    load_http(text, prefix, warnings=found)
    return [str(warning) for warning in found]


def load_http(
    text: str, prefix: str = "/", log: Log | None = None, *, warnings: list[ConfigError] | None = None
) -> HttpCycle:
    """Load the text of an http block's inside. Errors: ConfigError."""
    source = parse("http {\n" + text + "\n}\n", "nginx.conf", conf_prefix=prefix)
    loader = Loader(modules.MODULES, prefix=prefix, conf_prefix=prefix)
    zones = loader.parts.get(ZONES)
    loader.parts.put(LOG, log or Log(MemorySink()))
    loader.walk(source.statements, Scope(Context.MAIN))
    if source.error is not None:
        raise source.error
    zones.map()
    cycle = loader.parts.get(BLOCKS)["http"]
    assert isinstance(cycle, HttpCycle)
    confs = [*cycle.scope.confs.values()]
    for location in locations_of(cycle):
        confs += [*location.server.confs.values(), *location.confs.values()]
    told = settings.lies(confs)
    assert told == [], told
    if warnings is not None:
        warnings += loader.warnings
    return cycle


@dataclass
class Reply:
    """A response as a client sees it; header names are lower case."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> bytes | None:
        wanted = name.lower().encode()
        return next((value for key, value in self.headers if key == wanted), None)


class Engine:
    """A worker on a lane. `get` and `raw` open a connection each."""

    def __init__(self, cycle: HttpCycle, worker: Worker, sink: MemorySink) -> None:
        self.cycle = cycle
        self.worker = worker
        self.log = sink

    def connect(self, listening: int = 0) -> trio.SocketStream:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        peer = socket.AF_INET.to_bytes(2, "little") + (40000).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
        self.worker.acceptor(self.cycle.listenings[listening])(theirs.detach(), peer)
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    async def raw(self, data: bytes, listening: int = 0, *, end: bool = False) -> bytes:
        """Send bytes, and read until the server closes."""
        stream = self.connect(listening)
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(data)
                if end:
                    await stream.send_eof()
            received = b""
            with contextlib.suppress(trio.BrokenResourceError):
                async for chunk in stream:
                    received += chunk
            return received

    async def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        host: str = "localhost",
    ) -> Reply:
        """One request with `Connection: close`, read with h11."""
        fields = {"Host": host, "Connection": "close", **(headers or {})}
        if body:
            fields.setdefault("Content-Length", str(len(body)))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        return read_reply(await self.raw(head.encode("latin-1") + body), method)

    async def get(self, target: str, headers: dict[str, str] | None = None, host: str = "localhost") -> Reply:
        return await self.request("GET", target, headers, host=host)


def read_reply(data: bytes, method: str = "GET") -> Reply:
    """Parse one response with h11, the independent witness."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Connection", "close")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    parser.receive_data(b"")
    reply: Reply | None = None
    while True:
        event: Any = parser.next_event()
        if isinstance(event, h11.Response):
            reply = Reply(event.status_code, event.reason, list(event.headers))
        elif isinstance(event, h11.Data):
            assert reply is not None
            reply.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert reply is not None
            reply.headers += list(event.headers)
            return reply
        elif isinstance(event, h11.InformationalResponse):
            continue
        else:
            raise AssertionError(f"no response in {data!r}: {event!r}")


@contextlib.asynccontextmanager
async def serving(text: str, prefix: str = "/") -> AsyncIterator[Engine]:
    """Serve this http block; on leaving, nothing may be left: no connection, no fibre, no alert in the log."""
    sink = MemorySink()
    log = Log(sink)
    cycle = load_http(text, prefix, log)
    async with trio.open_nursery() as nursery:
        lane = Lane(clock=trio.current_time)
        await nursery.start(lane.run)
        worker = Worker([cycle], lane, log, 0, 1024)
        worker.nursery = nursery
        worker.start([])
        try:
            yield Engine(cycle, worker, sink)
            with trio.move_on_after(5):
                worker.close_idle()
                while worker.connections or lane.fibre_count:
                    await trio.sleep(0.01)
            assert not worker.connections, "connections left open"
            assert not lane.fibre_count, "fibres left running"
            assert not defects(sink.lines), sink.lines
        finally:
            nursery.cancel_scope.cancel()
