"""Commands as a person types them: in a folder, at a terminal or in a pipe, to their end or as long as they serve."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
_LIMIT_S = 45
_PORT_TAKERS = ("run", "serve", "proxy")
_SERVICE = ("NGINX", "LISTEN_", "NOTIFY_")  # what a service manager hands over
_PR_CAPBSET_DROP, _CAP_NET_BIND_SERVICE = 24, 10


class Said(NamedTuple):
    """What a command that has ended said, both streams together."""

    code: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


class AtTerminal:
    """A command that goes on: its input, output and errors are one terminal."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str], port: int) -> None:
        self.port = port
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: _take_terminal(theirs),
        )  # fmt: skip
        os.close(theirs)
        os.set_blocking(self._terminal, False)
        self._said = b""

    @property
    def said(self) -> str:
        """All of it until now."""
        with contextlib.suppress(OSError):  # nothing now, or the other end is closed
            while data := os.read(self._terminal, 65536):
                self._said += data
        return self._said.decode(errors="replace").replace("\r\n", "\n")

    def until(self, pattern: str) -> re.Match[str]:
        """What is waited for in what it says."""
        end = time.monotonic() + _LIMIT_S
        while True:
            if found := re.search(pattern, self.said):
                return found
            assert time.monotonic() < end, f"waited for {pattern}: {self.said}"
            assert self.process.poll() is None or re.search(pattern, self.said), self.said
            time.sleep(0.02)

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=_LIMIT_S)) as connection:
            connection.request("GET", path, headers={"Accept": accept})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def ended(self) -> int:
        return self.process.wait(_LIMIT_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        os.close(self._terminal)


def _take_terminal(descriptor: int) -> None:
    """The terminal becomes the session's, so that keys count."""
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


def may_not_bind_low() -> None:
    """Before exec: root cannot have ports below 1024 either."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, _CAP_NET_BIND_SERVICE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Desk:
    """A folder and what is typed in it; `typed` remembers that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed: list[str] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_SERVICE)},
            "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "HOME": str(folder / "home"),
            "XDG_DATA_HOME": str(folder / "home"), "TERM": "xterm",
        }  # fmt: skip

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def _words(self, command: str, port: int) -> list[str]:
        self.typed.append(command)
        words = shlex.split(command)
        assert words[0] == "gateway"
        if len(words) > 1 and words[1] in _PORT_TAKERS and "--port" not in words:
            words += ["--port", str(port)]
        if any(word in words for word in ("-s", "-g")):
            words += ["-p", ".", "-e", "error.log"]
        return [sys.executable, "-m", "gateway", *words[1:]]

    def run(
        self, command: str, *, terminal: bool = False, before: Callable[[], None] | None = None, **more: str
    ) -> Said:
        """To its end; `more` is the environment's."""
        words, environment = self._words(command, free_port()), {**self.environment, **more}
        if not terminal:
            done = subprocess.run(
                words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=_LIMIT_S, check=False, preexec_fn=before,
            )  # fmt: skip
            return Said(done.returncode, done.stdout)
        going = AtTerminal(words, self.folder, environment, 0)
        try:
            code = going.ended()
            return Said(code, going.said)
        finally:
            going.close()

    @contextlib.contextmanager
    def going(self, command: str, **more: str) -> Iterator[AtTerminal]:
        """At a terminal as long as the block lasts."""
        port = free_port()
        going = AtTerminal(self._words(command, port), self.folder, {**self.environment, **more}, port)
        try:
            yield going
        finally:
            going.close()

    @contextlib.contextmanager
    def serving(self, command: str, **more: str) -> Iterator[AtTerminal]:
        """The same, from the moment it serves."""
        with self.going(command, **more) as going:
            going.until("Ctrl-C stops ")
            yield going
