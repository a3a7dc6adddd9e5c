"""An upstream for the cases: HTTP, a thread for each connection, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.process.running import ROOT

_MIB = 1 << 20


def _read(connection: socket.socket, kept: bytes) -> tuple[bytes, bytes] | None:
    """The head of a request whose body is read and dropped, and what came behind."""
    while b"\r\n\r\n" not in kept:
        part = connection.recv(65536)
        if not part:
            return None
        kept += part
    head, _, kept = kept.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    left = int(length[1]) if length else 0
    while left > len(kept):
        left -= len(kept)
        kept = connection.recv(65536)
        if not kept:
            return None
    return head, kept[left:]


def _serve(connection: socket.socket) -> None:
    kept = b""
    with connection, contextlib.suppress(OSError):
        connection.settimeout(60)
        while (found := _read(connection, kept)) is not None:
            head, kept = found
            path = head.split(b" ")[1]
            if b"/dies" in path:
                os.kill(os.getpid(), signal.SIGKILL)
            if b"/cuts" in path:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
                return
            if b"/garbage" in path:
                connection.sendall(os.urandom(200))
                return
            if b"/tunnel" in path:
                head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
                connection.sendall(head + kept)
                while part := connection.recv(65536):
                    connection.sendall(part)
                return
            if b"/chunks" in path:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(200):
                    connection.sendall(b"1\r\nx\r\n" * 10000)
                return
            size = re.search(rb"/bytes/(\d+)", path)
            count = int(size[1]) if size else 6
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % count)
            while count:
                part = b"upstream body. " * min(count, 70000)
                count -= connection.send(part[:count])


def main(descriptor: int) -> None:
    listening = socket.socket(fileno=descriptor)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


class Backend:
    """Its port stays the same when it is started again."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port: int = self.listening.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        descriptor = self.listening.fileno()
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(descriptor)],
            pass_fds=(descriptor,),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def backend() -> Iterator[Backend]:
    one = Backend()
    one.start()
    try:
        yield one
    finally:
        one.stop()
        one.listening.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
