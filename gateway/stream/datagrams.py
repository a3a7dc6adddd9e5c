"""UDP: sessions by the client's address, which share their listening socket.

Compiled with the types of datagrams.pxd.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.datagrams import Datagrams
from gateway.stream.module import SUCCESS
from gateway.stream.session import Number, Session

if TYPE_CHECKING:
    from gateway._fast.watcher import Watcher
    from gateway.core.lane import Lane
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker

# Datagrams of one client that wait for its session; more are lost, as everywhere with UDP.
_WAITING: Final = 256

Key = tuple[bytes, bytes | None]  # the client's raw address, and the local one where the socket has several


class ClientDatagrams:
    """What a session of datagrams has for a stream: sends through the socket that all of them share."""

    def __init__(self, shared: DatagramListener, key: Key) -> None:
        self.pending = 0
        self.readable = False
        self.peer_closed = False
        self.shared = shared
        self.key = key
        self.sent = 0
        self.error = 0
        self.closed = False
        self.handler: Any = None

    @property
    def fd(self) -> int:
        return -1 if self.closed else self.shared.source.fd

    def send(self, data: bytes) -> Number:
        """One datagram; the error is kept."""
        if not self.closed:
            error = self.shared.source.send(data, *self.key)
            if error:
                self.error = error
            else:
                self.sent += len(data)
        return 0

    def write(self, data: bytes) -> None:
        self.send(data)

    def flush(self) -> int:
        return 0

    def nodelay(self) -> bool:
        return True

    def close(self, reset: bool = False) -> None:
        self.closed = True


class DatagramSession(Session):
    """The datagrams of one client, until nothing more is expected or for too long nothing came."""

    protocol = b"UDP"

    def __init__(self, worker: Worker, shared: DatagramListener, key: Key, data: bytes) -> None:
        self.client = ClientDatagrams(shared, key)
        Session.__init__(self, worker, self.client, key[0], shared.listening)  # type: ignore[arg-type]
        self.buffer = data
        self.received = len(data)  # whether it is passed on or not
        self.inbox: deque[bytes] = deque()
        self.take: Watcher | None = None  # of who passes on what is in the inbox, at once
        self.expecting = True  # an answer that is still to come: the worker's end waits for it

    def find_local(self) -> tuple[bytes, int]:
        address = self.listening.address.address
        source = self.client.key[1]
        if isinstance(address, str):
            return b"unix:" + os.fsencode(address), 0
        if source is None:
            return address[0].encode(), address[1]
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6
        return socket.inet_ntop(family, source).encode(), address[1]

    def arrived(self, data: bytes) -> None:
        if len(self.inbox) < _WAITING:
            self.inbox.append(data)
            if self.take is not None:
                self.take.happened()

    def let_go(self) -> None:
        """The client's next datagram begins another session."""
        self.client.shared.forget(self.client.key, self)

    def _end(self) -> None:
        if self.over:
            return
        self.let_go()
        self.lane.taken -= 1
        Session._end(self)

    def retire(self) -> None:
        """The worker ends: the new ones get what the client sends from now on."""
        self.let_go()
        if not self.expecting:
            self.status = SUCCESS
            self.log("info", b"disconnected on shutdown", alone=True)
            self.close()


class DatagramListener:
    """A listening socket of datagrams in a worker."""

    def __init__(self, worker: Worker, fd: int, listening: Listening, exclusive: bool) -> None:
        self.worker = worker
        self.listening = listening
        self.sessions: dict[Key, DatagramSession] = {}
        lane: Lane = worker.lane
        self.source = Datagrams(lane, fd, self.arrived, self.failed, shared=True, exclusive=exclusive)

    def arrived(self, data: bytes, peer: bytes, local: bytes | None) -> None:
        key = peer, local
        session = self.sessions.get(key)
        if session is not None:
            session.arrived(data)
            return
        worker = self.worker
        if not worker.admit():
            return
        worker.lane.taken += 1  # one of worker_connections, though no stream of its own
        session = self.sessions[key] = DatagramSession(worker, self, key, data)
        worker.connections.add(session)
        session.begin()

    def failed(self, number: int) -> None:
        """Of one datagram that was sent (ICMP): nginx says it and goes on."""
        self.worker.log("alert", b"recvmsg() failed (%d: %b)" % (number, os.strerror(number).encode()))

    def forget(self, key: Key, session: DatagramSession) -> None:
        if self.sessions.get(key) is session:
            del self.sessions[key]

    def close(self) -> None:
        """No more datagrams; the sessions go on with what they wait for, and can answer."""
        self.source.pause()
