"""Binary upgrade and inherited sockets, with real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.process.load import load
from tests.process.running import Running, alive, fetch, listening, pid_in, until

# What systemd does: the sockets from descriptor 3 up, and two variables that say so.
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def configure(running: Running, port: int, answer: str = "hello") -> None:
    running.configure("", f"127.0.0.1:{port}", f"unix:{running.folder}/s", answer=answer)


def start_daemon(running: Running) -> int:
    """The master's id; only a daemon takes USR2 while its parent lives, as in nginx."""
    assert running.start(wait=False).wait(15) == 0
    until(lambda: running.workers, "a worker")
    return running.pid


def upgrade(running: Running, old: int) -> int:
    running.send(signal.SIGUSR2)
    file = running.folder / "nginx.pid"
    until(lambda: pid_in(file) not in (0, old), "the new master")
    until(lambda: running.workers, "its worker")
    assert int((running.folder / "nginx.pid.oldbin").read_text()) == old
    running.remember()
    return running.pid


def test_upgrade_under_load(running: Running, port: int) -> None:
    configure(running, port, "old")
    with load_when_started(running, port) as (old, seen):
        configure(running, port, "new")
        new = upgrade(running, old)
        assert new != old
        until(lambda: seen.answers["new"] > 5, "answers of the new master")
        os.kill(old, signal.SIGWINCH)
        count = seen.answers["new"]
        until(lambda: seen.answers["new"] > count + 50, "more answers of the new master")
        os.kill(old, signal.SIGQUIT)
        until(lambda: not alive(old), "the old master's end")
        count = seen.answers["new"]
        until(lambda: seen.answers["new"] > count + 20, "answers after that")
    assert seen.failures == []
    assert not (running.folder / "nginx.pid.oldbin").exists()
    assert fetch(f"{running.folder}/s") == "new"
    running.end()
    running.no_alerts()


def test_the_old_master_comes_back(running: Running, port: int) -> None:
    configure(running, port, "old")
    with load_when_started(running, port) as (old, seen):
        configure(running, port, "new")
        new = upgrade(running, old)
        os.kill(old, signal.SIGWINCH)
        until(lambda: running.log.count("gracefully shutting down") == 1, "the old workers' end")
        os.kill(old, signal.SIGHUP)  # its workers are back, without a new configuration
        os.kill(new, signal.SIGQUIT)
        until(lambda: not alive(new), "the new master's end")
        until(lambda: not (running.folder / "nginx.pid.oldbin").exists(), "the pid file's old name")
        assert running.pid == old
        count = seen.answers["old"]
        until(lambda: seen.answers["old"] > count + 20, "answers of the old master")
    assert seen.failures == []
    assert fetch(f"{running.folder}/s") == "old"
    running.end()
    running.no_alerts()


def test_workers_return_when_the_new_master_dies(running: Running, port: int) -> None:
    configure(running, port)
    old = start_daemon(running)
    new = upgrade(running, old)
    os.kill(old, signal.SIGWINCH)
    until(lambda: running.log.count("gracefully shutting down") == 1, "the old workers' end")
    os.kill(new, signal.SIGTERM)
    until(lambda: not alive(new), "the new master's end")
    until(lambda: not (running.folder / "nginx.pid.oldbin").exists(), "the pid file's old name")
    until(lambda: running.workers, "workers of the old master")
    assert fetch(("127.0.0.1", port)) == "hello"
    running.end()


def test_a_new_master_that_fails_leaves_the_old_one(running: Running, port: int) -> None:
    configure(running, port)
    old = start_daemon(running)
    running.configure("no_such_directive;")
    running.send(signal.SIGUSR2)
    until(lambda: "new binary process" in running.log and "exited with code 1" in running.log, "the failure")
    until(lambda: (running.folder / "nginx.pid").exists(), "the pid file's old name")
    assert running.pid == old
    assert fetch(("127.0.0.1", port)) == "hello"
    running.end()


def test_in_the_foreground_it_is_ignored(running: Running, port: int) -> None:
    running.configure("daemon off;", f"127.0.0.1:{port}")
    running.start()
    running.send(signal.SIGUSR2)
    until(lambda: "the changing binary signal is ignored" in running.log, "the refusal")
    running.end()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_sockets_of_the_service_manager(running: Running, port: int, family: int) -> None:
    """LISTEN_FDS: the socket is taken by its address, and a unix socket's file stays."""
    path = f"{running.folder}/s"
    address = path if family == socket.AF_UNIX else ("127.0.0.1", port)
    running.configure("daemon off;", f"unix:{path}" if family == socket.AF_UNIX else f"127.0.0.1:{port}")
    with listening(family, address) as ours:
        running.process = subprocess.Popen(
            [sys.executable, "-c", _ACTIVATE, str(ours.fileno()), *running.arguments()],
            env=running.environment, stdin=subprocess.DEVNULL, pass_fds=(ours.fileno(),),
        )  # fmt: skip
        until(lambda: running.workers, "a worker")
        assert "using 1 sockets from the service manager" in running.log
        assert "bind()" not in running.log
    assert fetch(address) == "hello"
    running.end()
    assert os.path.exists(path) == (family == socket.AF_UNIX)


class load_when_started:
    """Start a daemon, then load it."""

    def __init__(self, running: Running, port: int) -> None:
        self.running = running
        self.load = load(("127.0.0.1", port))

    def __enter__(self):  # type: ignore[no-untyped-def]
        old = start_daemon(self.running)
        return old, self.load.__enter__()

    def __exit__(self, *details: object) -> None:
        self.load.__exit__(*details)  # type: ignore[arg-type]
