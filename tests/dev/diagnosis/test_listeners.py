"""Who listens, by the kernel's tables."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.dev.diagnosis.listeners import TcpListener, tcp_listeners, unix_listeners
from tests.dev.diagnosis.asking import open_folder


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_tcp(family: socket.AddressFamily, host: str) -> None:
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        port = server.getsockname()[1]
        assert [listener.host for listener in tcp_listeners() if listener.port == port] == [host]
    assert [listener for listener in tcp_listeners() if listener.port == port] == []


def test_unix() -> None:
    with open_folder() as folder:
        path = str(folder / "with space.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            assert path not in unix_listeners()
            server.listen()
            assert path in unix_listeners()


def test_no_proc(tmp_path: Path) -> None:
    assert tcp_listeners(str(tmp_path)) == []
    assert unix_listeners(str(tmp_path)) == set()


def test_shown() -> None:
    assert str(TcpListener("::1", 80, 0)) == "[::1]:80"
    assert str(TcpListener("0.0.0.0", 80, 0)) == "0.0.0.0:80" and TcpListener("0.0.0.0", 80, 0).is_any
