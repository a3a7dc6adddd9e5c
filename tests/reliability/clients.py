"""Clients for the cases: a light load that notes how long each answer takes, floods, and what reads nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

REQUEST = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Probe(threading.Thread):
    """Asks for `/small` on a connection that is kept, again and again, and notes the waits."""

    def __init__(self, port: int, *, new: bool = False) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.new = new  # a connection for each request
        self.waits: list[float] = []
        self.failed: Counter[str] = Counter()
        self._over = threading.Event()

    def run(self) -> None:
        connection: socket.socket | None = None
        while not self._over.is_set():
            began = time.monotonic()
            answer = b""
            try:
                if connection is None:
                    connection = socket.create_connection(("127.0.0.1", self.port), 60)
                connection.sendall(REQUEST % b"/small")
                answer = connection.recv(4096)
                if not answer.startswith(b"HTTP/1.1 200"):
                    self.failed[repr(answer[:12])] += 1
                    connection = _closed(connection)
            except OSError as error:
                self.failed[type(error).__name__] += 1
                connection = _closed(connection)
            self.waits.append(time.monotonic() - began)
            if self.new or b"\r\nConnection: close" in answer:  # after keepalive_requests, and while it reloads
                connection = _closed(connection)
            self._over.wait(0.002)
        _closed(connection)

    def stop(self) -> Probe:
        self._over.set()
        self.join(90)
        return self

    @property
    def longest_ms(self) -> float:
        return max(self.waits, default=0.0) * 1e3

    @property
    def p99_ms(self) -> float:
        waits = sorted(self.waits)
        return waits[len(waits) * 99 // 100] * 1e3 if waits else 0.0


def _closed(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()


@contextlib.contextmanager
def beside(port: int, **options: bool) -> Iterator[Probe]:
    """A light load while the block runs."""
    probe = Probe(port, **options)
    probe.start()
    try:
        yield probe
    finally:
        probe.stop()


def at_once(count: int, work: Callable[[int], object], limit_s: float = 90.0) -> None:
    """Run `work(0)` … in threads of their own, and wait for all."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(limit_s)


def flood(port: int, begin: bytes, part: bytes, seconds: float) -> int:
    """Send the same bytes for so long, read whatever comes back; how many were taken."""
    sent = 0
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(0.5)
        connection.sendall(begin)
        reader = threading.Thread(target=_drain, args=(connection, until), daemon=True)
        reader.start()
        while time.monotonic() < until:
            try:
                sent += connection.send(part)
            except TimeoutError:
                continue
        reader.join(2)
    return sent


def download(port: int, path: bytes, seconds: float) -> int:
    """Read answers of this path as fast as they come, one after the other; bytes that came."""
    received = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(1)
            connection.sendall(REQUEST % path)
            while time.monotonic() < until and (part := connection.recv(1 << 20)):
                received += len(part)
    return received


def _drain(connection: socket.socket, until: float) -> None:
    with contextlib.suppress(OSError):
        while time.monotonic() < until:
            try:
                if not connection.recv(1 << 16):
                    return
            except TimeoutError:
                continue


def silent(port: int, count: int, data: bytes) -> list[socket.socket]:
    """Connections that send this, with a small window, and read nothing; the caller closes them."""
    found = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(data)
        found.append(connection)
    return found


def close_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()
