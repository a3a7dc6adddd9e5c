"""The mail block of one loaded configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.stream import Stream
from gateway.mail.session import Session
from gateway.serving.cycle import BlockCycle

if TYPE_CHECKING:
    from gateway.mail.servers import Server
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker


class MailCycle(BlockCycle):
    """What all sessions of one configuration share."""

    name = "mail"
    servers: list[Server]
    listenings: list[Listening]

    def accept(self, worker: Worker, fd: int, peer: bytes, listening: Listening) -> None:
        session = Session(worker, Stream(worker.lane, fd), peer, listening)
        worker.connections.add(session)
        session.fibre = worker.lane.spawn(session.run(), session.crashed)
