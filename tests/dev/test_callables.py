"""Callables on a socket, spoken to without gateway; tests/test_testing.py has them behind it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.dev.callables import Served
from gateway.dev.probe import ask_http, ask_uwsgi


def _application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    write = start_response("200 OK", [])
    write(b"written, ")
    return [environ["PATH_INFO"].encode("latin-1"), b" ", environ["wsgi.input"].read()]


def test_http(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with Served(_application, path, "http"):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"POST /a%20b?q HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nwritten, /a b body")
        assert ask_http(path, 5) < 5
    assert not (tmp_path / "s").exists()


def test_uwsgi(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with Served(_application, path, "uwsgi"):
        assert ask_uwsgi(path, 5) < 5
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"\0\1")  # no whole head
            s.shutdown(socket.SHUT_WR)
            assert s.recv(10) == b""


def test_asgi_over_uwsgi(tmp_path: Path) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(ValueError, match="speaks HTTP"):
        Served(application, str(tmp_path / "s"), "uwsgi")
