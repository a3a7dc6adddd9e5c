"""A real store for tests: redis-server on a port of the loopback, without a file."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.process.running import free_port

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")
needs_redis = pytest.mark.skipif(SERVER is None, reason="neither valkey-server nor redis-server is installed")


class Redis:
    """Started, paused and ended as a test likes."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert SERVER is not None
        command = [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [*command, "--dir", str(self.folder), *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "redis-server did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> bytes:
        """One command in RESP; the raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as wire:
            encoded = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in (each.encode() for each in words))
            wire.sendall(b"*%d\r\n%b" % (len(words), encoded))
            return wire.recv(65536)
