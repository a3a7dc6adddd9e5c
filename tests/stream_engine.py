"""A configuration's stream block at work in the test's own process, over socket pairs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import trio

from gateway import modules
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.lane import Lane
from gateway.core.logs import LOG, Log
from gateway.core.zones import ZONES
from gateway.serving.cycle import BLOCKS
from gateway.serving.worker import Worker
from gateway.stream.cycle import StreamCycle
from tests import settings
from tests.engine import MemorySink, defects

PEER = socket.AF_INET.to_bytes(2, "little") + (40000).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
UNIX_PEER = socket.AF_UNIX.to_bytes(2, "little")


def load_stream(text: str, log: Log | None = None, *, warnings: list[ConfigError] | None = None) -> StreamCycle:
    """Load the text of a stream block's inside. Errors: ConfigError."""
    source = parse("stream {\n" + text + "\n}\n", "nginx.conf", conf_prefix="/")
    loader = Loader(modules.MODULES, prefix="/", conf_prefix="/")
    zones = loader.parts.get(ZONES)
    loader.parts.put(LOG, log or Log(MemorySink()))
    loader.walk(source.statements, Scope(Context.MAIN))
    if source.error is not None:
        raise source.error
    zones.map()
    if warnings is not None:
        warnings += loader.warnings
    cycle = loader.parts.get(BLOCKS)["stream"]
    assert isinstance(cycle, StreamCycle)
    assert settings.lies([*cycle.scope.confs.values(), *(c for s in cycle.servers for c in s.confs.values())]) == []
    return cycle


class Engine:
    """A worker on a lane; `connect` and `talk` open a connection each."""

    def __init__(self, cycle: StreamCycle, worker: Worker, sink: MemorySink) -> None:
        self.cycle = cycle
        self.worker = worker
        self.log = sink

    def connect(self, listening: int = 0, peer: bytes = PEER) -> trio.SocketStream:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.worker.acceptor(self.cycle.listenings[listening])(theirs.detach(), peer)
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    async def talk(self, data: bytes = b"", listening: int = 0, peer: bytes = PEER) -> bytes:
        """Send bytes, and read until the server closes."""
        received = b""
        async with self.connect(listening, peer) as client:
            with contextlib.suppress(trio.BrokenResourceError):
                await client.send_all(data)
                async for chunk in client:
                    received += chunk
        return received

    @contextlib.contextmanager
    def receiving(self, listening: int = 0, host: str = "127.0.0.1") -> Iterator[int]:
        """A socket of datagrams for this `listen`; its port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as shared:
            shared.bind((host, 0))
            if host == "0.0.0.0":
                shared.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
            receiver = self.cycle.receive(self.worker, shared.fileno(), self.cycle.listenings[listening], False)
            yield shared.getsockname()[1]
            for session in list(receiver.sessions.values()):
                session.retire()
            receiver.source.close()

    async def ended(self) -> None:
        """Until no session is left, so that all of them have been logged."""
        with trio.fail_after(5):
            while self.worker.connections:
                await trio.sleep(0.001)

    def logged(self, part: str) -> list[str]:
        """The lines of the error log that have this in them."""
        return [line for line in self.log.lines if part in line]


@contextlib.asynccontextmanager
async def serving(text: str, worker_connections: int = 1024) -> AsyncIterator[Engine]:
    """Serve this stream block; on leaving, nothing may be left: no session, no fibre, no alert in the log."""
    sink = MemorySink()
    log = Log(sink)
    cycle = load_stream(text, log)
    async with trio.open_nursery() as nursery:
        lane = Lane()
        await nursery.start(lane.run)
        worker = Worker([cycle], lane, log, 0, worker_connections)
        worker.nursery = nursery
        worker.start([])
        try:
            yield Engine(cycle, worker, sink)
            worker.close_idle()
            with trio.move_on_after(5):
                while worker.connections or lane.fibre_count:
                    await trio.sleep(0.01)
            assert not worker.connections, "sessions left open"
            assert not lane.fibre_count, "fibres left running"
            assert not defects(sink.lines), sink.lines
        finally:
            nursery.cancel_scope.cancel()
