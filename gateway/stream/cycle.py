"""The stream block of one loaded configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.stream import Stream
from gateway.serving.cycle import BlockCycle
from gateway.stream.datagrams import DatagramListener
from gateway.stream.session import Session

if TYPE_CHECKING:
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker
    from gateway.stream.servers import Server


class StreamCycle(BlockCycle):
    """What all sessions of one configuration share."""

    name = "stream"
    servers: list[Server]
    listenings: list[Listening]

    def accept(self, worker: Worker, fd: int, peer: bytes, listening: Listening) -> None:
        session = Session(worker, Stream(worker.lane, fd), peer, listening)
        worker.connections.add(session)
        session.begin()

    def take_over(
        self, worker: Worker, stream: Stream, data: bytes, peer: bytes, listening: Listening, passes: int
    ) -> None:
        session = Session(worker, stream, peer, listening)
        session.buffer = data
        session.passes = passes
        worker.connections.add(session)
        session.begin()

    def receive(self, worker: Worker, fd: int, listening: Listening, exclusive: bool) -> DatagramListener:
        return DatagramListener(worker, fd, listening, exclusive)
