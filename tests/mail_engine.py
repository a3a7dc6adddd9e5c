"""A configuration's mail block at work in the test's own process: clients over socket pairs, the rest on loopback."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import trio

from gateway import modules
from gateway.config.directive import Context
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.lane import Lane
from gateway.core.logs import LOG, Log
from gateway.core.zones import ZONES
from gateway.mail.cycle import MailCycle
from gateway.serving.cycle import BLOCKS
from gateway.serving.worker import Worker
from tests import settings
from tests.engine import MemorySink, defects

PEER = socket.AF_INET.to_bytes(2, "little") + (40000).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
UNIX_PEER = socket.AF_UNIX.to_bytes(2, "little")

Answer = Callable[[dict[str, str]], dict[str, str]]


def load_mail(text: str, log: Log | None = None) -> MailCycle:
    """Load the text of a mail block's inside. Errors: ConfigError."""
    source = parse("mail {\n" + text + "\n}\n", "nginx.conf", conf_prefix="/")
    loader = Loader(modules.MODULES, prefix="/", conf_prefix="/")
    zones = loader.parts.get(ZONES)
    loader.parts.put(LOG, log or Log(MemorySink()))
    loader.walk(source.statements, Scope(Context.MAIN))
    if source.error is not None:
        raise source.error
    zones.map()
    cycle = loader.parts.get(BLOCKS)["mail"]
    assert isinstance(cycle, MailCycle)
    assert settings.lies([*cycle.scope.confs.values(), *(c for s in cycle.servers for c in s.confs.values())]) == []
    return cycle


class Client:
    """One end of a dialogue, line by line."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = b""

    async def line(self) -> bytes:
        """The next line without its end; empty when there will be none."""
        with trio.fail_after(5):
            while b"\r\n" not in self.buffer:
                try:
                    data = await self.stream.receive_some()
                except trio.BrokenResourceError:
                    data = b""
                if not data:
                    rest, self.buffer = self.buffer, b""
                    return rest
                self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def say(self, *lines: bytes) -> bytes:
        """Say these lines at once; the first line of what is answered."""
        await self.send(b"".join(line + b"\r\n" for line in lines))
        return await self.line()

    async def ended(self) -> bool:
        return await self.line() == b""


class Backend:
    """A mail server that answers each line by what `replies` has for its first word, and notes what it was told."""

    def __init__(self) -> None:
        self.port = 0
        self.greeting = b""
        self.replies: dict[bytes, bytes] = {}
        self.otherwise = b""
        self.said: list[bytes] = []
        self.received = b""
        self.sessions = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        self.sessions += 1
        if self.greeting:
            await stream.send_all(self.greeting + b"\r\n")
        buffer = b""
        with contextlib.suppress(trio.BrokenResourceError):
            async for data in stream:
                buffer += data
                self.received += data
                while b"\r\n" in buffer:
                    line, _, buffer = buffer.partition(b"\r\n")
                    self.said.append(line)
                    reply = self.reply(line)
                    if reply:
                        await stream.send_all(reply + b"\r\n")

    def reply(self, line: bytes) -> bytes:
        for start, reply in self.replies.items():
            if line.startswith(start):
                return reply
        return self.otherwise


class AuthServer:
    """Answers auth_http's questions as `answer` says, and keeps them."""

    def __init__(self, port: int) -> None:
        self.backend_port = port
        self.port = 0
        self.asked: list[dict[str, str]] = []
        self.raw: bytes | None = None  # what is answered instead
        self.answer: Answer = lambda question: {}

    async def serve(self, stream: trio.SocketStream) -> None:
        head = b""
        async for data in stream:
            head += data
            if b"\r\n\r\n" in head:
                break
        lines = head.decode().split("\r\n")
        question = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        self.asked.append({"": lines[0], **question})
        fields = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(self.backend_port)}
        fields.update(self.answer(question))
        text = "HTTP/1.1 200 OK\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v) + "\r\n"
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(text.encode() if self.raw is None else self.raw)
        await stream.aclose()


class Engine:
    """A worker on a lane."""

    def __init__(self, cycle: MailCycle, worker: Worker, sink: MemorySink, auth: AuthServer, backend: Backend) -> None:
        self.cycle = cycle
        self.worker = worker
        self.log = sink
        self.auth = auth
        self.backend = backend

    def raw(self, listening: int = 0, peer: bytes = PEER) -> trio.SocketStream:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.worker.acceptor(self.cycle.listenings[listening])(theirs.detach(), peer)
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    @contextlib.asynccontextmanager
    async def client(self, listening: int = 0, peer: bytes = PEER) -> AsyncIterator[Client]:
        async with self.raw(listening, peer) as stream:
            yield Client(stream)

    async def ended(self) -> None:
        """Until no session is left."""
        with trio.fail_after(5):
            while self.worker.connections:
                await trio.sleep(0.001)

    def logged(self, part: str) -> list[str]:
        """The lines of the error log that have this in them."""
        return [line for line in self.log.lines if part in line]


@contextlib.asynccontextmanager
async def serving(text: str) -> AsyncIterator[Engine]:
    """Serve this mail block, which has an auth_http; on leaving nothing may be left."""
    sink = MemorySink()
    log = Log(sink)
    backend = Backend()
    async with trio.open_nursery() as nursery:
        backend.port = await _listen(nursery, backend.serve)
        auth = AuthServer(backend.port)
        auth.port = await _listen(nursery, auth.serve)
        text = f"auth_http http://127.0.0.1:{auth.port}/auth;\n{text}"
        cycle = load_mail(text, log)
        lane = Lane()
        await nursery.start(lane.run)
        worker = Worker([cycle], lane, log, 0, 1024)
        worker.nursery = nursery
        worker.start([])
        try:
            yield Engine(cycle, worker, sink, auth, backend)
            worker.close_idle()
            with trio.move_on_after(5):
                while worker.connections or lane.fibre_count:
                    await trio.sleep(0.01)
            assert not worker.connections, "sessions left open"
            assert not lane.fibre_count, "fibres left running"
            assert not defects(sink.lines), sink.lines
        finally:
            nursery.cancel_scope.cancel()


async def _listen(nursery: trio.Nursery, serve: Callable[[trio.SocketStream], Awaitable[None]]) -> int:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def listen() -> None:
        await trio.serve_listeners(serve, [listener])

    nursery.start_soon(listen)
    port: int = listener.socket.getsockname()[1]
    return port
