"""-s quit and -s stop on a terminal show what is still to be waited for; without one they do not wait, as nginx."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, alive, fetch, until


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[Running]:
    with Running(tmp_path, GATEWAY) as one:
        one.configure("daemon off; worker_shutdown_timeout 50s;", f"127.0.0.1:{port}")
        one.start()
        yield one


def _hears_interrupts() -> None:
    """As at a terminal: what a shell runs beside itself, tests among them, ignores them and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class OnTerminal:
    """A command whose stderr is a terminal."""

    def __init__(self, running: Running, *arguments: str) -> None:
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            running.arguments(*arguments),
            env=running.environment,
            stdin=subprocess.DEVNULL,
            stderr=theirs,
            preexec_fn=_hears_interrupts,
        )
        os.close(theirs)
        os.set_blocking(self._terminal, False)
        self.said = ""

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def read(self) -> str:
        """All that was said until now."""
        with contextlib.suppress(OSError):  # nothing now, or the other end is closed
            self.said += os.read(self._terminal, 65536).decode()
        return self.said

    def ended(self) -> int:
        code = self.process.wait(20)
        self.read()
        return code


def waiting_client(port: int) -> socket.socket:
    """A connection that a graceful end waits for: its client was never answered, and may just be slow."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\n")
    return client


def test_quit_shows_what_drains_and_waits(running: Running, port: int) -> None:
    with waiting_client(port) as client:
        assert fetch(("127.0.0.1", port)) == "hello"  # the worker has accepted both
        running.remember()
        with OnTerminal(running, "-s", "quit") as command:
            until(lambda: "\n" in command.read(), "what drains")
            expected = "gateway: waiting for 1 connection in 1 worker to end (worker_shutdown_timeout is 50 s)"
            assert command.said.splitlines() == [expected]
            assert command.process.poll() is None
            client.close()
            assert command.ended() == 0
            assert command.said.splitlines()[1].startswith("gateway: ended after ")
    until(lambda: not any(alive(pid) for pid in running.seen), "all processes to end")
    assert running.process is not None and running.process.wait(10) == 0


@pytest.mark.parametrize("name", ["quit", "stop"])
def test_what_ends_at_once_needs_no_words(running: Running, name: str) -> None:
    running.remember()
    with OnTerminal(running, "-s", name) as command:
        assert command.ended() == 0
        assert command.said == ""
    assert running.process is not None and running.process.wait(10) == 0
    assert not running.workers


def test_an_interrupt_leaves_the_server_to_its_end(running: Running, port: int) -> None:
    with waiting_client(port):
        assert fetch(("127.0.0.1", port)) == "hello"
        running.remember()
        with OnTerminal(running, "-s", "quit") as command:
            until(lambda: "waiting for" in command.read(), "what drains")
            command.process.send_signal(signal.SIGINT)
            assert command.ended() == 130
            assert "no longer waiting" in command.said and "Traceback" not in command.said
        assert running.process is not None and running.process.poll() is None
        assert running.run("-s", "stop").returncode == 0
    assert running.process.wait(15) == 0


def test_without_a_terminal_nobody_waits(running: Running, port: int) -> None:
    with waiting_client(port) as client:
        assert fetch(("127.0.0.1", port)) == "hello"
        running.remember()
        done = running.run("-s", "quit")
        assert (done.returncode, done.stderr) == (0, "")
        assert running.process is not None and running.process.poll() is None
        # A reload has no say any more.
        refused = running.run("-s", "reload")
        assert refused.returncode == 1
        assert "the server is ending" in refused.stderr
        client.close()
        assert running.process.wait(15) == 0


def test_nobody_is_there(tmp_path: Path) -> None:
    with Running(tmp_path, GATEWAY) as running:
        running.configure("")
        (tmp_path / "nginx.pid").write_text("4194303")
        with OnTerminal(running, "-s", "quit") as command:
            assert command.ended() == 1
        assert "kill(4194303, 3) failed (3: No such process)" in running.log
