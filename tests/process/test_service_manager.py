"""What a service manager hears of the master: a socket of the test's in systemd's place."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.process import service_manager
from tests.process.running import Running


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(15)
        yield listening


def _fields(listening: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in listening.recv(4096).decode().splitlines())


def test_the_life_of_a_master(running: Running, port: int, heard: socket.socket) -> None:
    running.environment["NOTIFY_SOCKET"] = str(heard.getsockname())
    running.configure("daemon off;", f"127.0.0.1:{port}")
    running.start(wait=False)
    began = _fields(heard)
    assert running.process is not None
    assert (began["READY"], began["MAINPID"]) == ("1", str(running.process.pid))
    assert began["STATUS"] == "generation 1 is live"

    running.process.send_signal(signal.SIGHUP)
    reloading = _fields(heard)
    assert reloading["RELOADING"] == "1"
    assert int(reloading["MONOTONIC_USEC"]) > 0
    again = _fields(heard)
    assert (again["READY"], again["STATUS"]) == ("1", "generation 2 is live")

    (running.folder / "nginx.conf").write_text("nonsense;")
    running.process.send_signal(signal.SIGHUP)
    assert _fields(heard)["RELOADING"] == "1"
    failed = _fields(heard)
    assert failed["READY"] == "1"
    assert failed["STATUS"].startswith("generation 2 is live; the last reload failed: ")

    running.process.send_signal(signal.SIGQUIT)
    assert _fields(heard)["STOPPING"] == "1"
    assert running.process.wait(15) == 0


def test_an_abstract_socket_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0gateway-test-notify")
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@gateway-test-notify")
        service_manager.stopping(successor=7)
        assert _fields(listening) == {"MAINPID": "7"}
    service_manager.ready("nobody listens any more")
    monkeypatch.setenv("NOTIFY_SOCKET", "nonsense")
    service_manager.ready("no address")
    monkeypatch.delenv("NOTIFY_SOCKET")
    service_manager.reloading()
