"""The stream block of one loaded configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.serving.cycle import Cycle
from gateway.stream.session import Session

if TYPE_CHECKING:
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker
    from gateway.stream.servers import Server


class StreamCycle(Cycle):
    """What all sessions of one configuration share."""

    name = "stream"
    servers: list[Server]
    listenings: list[Listening]

    def accept(self, worker: Worker, fd: int, peer: bytes, listening: Listening) -> None:
        session = Session(worker, fd, peer, listening)
        worker.connections.add(session)
        session.fibre = worker.lane.spawn(session.run(), session.crashed)
