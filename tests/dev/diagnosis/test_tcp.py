"""A TCP address that refuses: who listens near it."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from gateway.dev.diagnosis import tcp
from gateway.dev.diagnosis.listeners import TcpListener
from tests.dev.diagnosis.asking import cause, explaining
from tests.fakes import farm


async def test_nobody_listens(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.refusing()
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert cause(engine).startswith(f"nobody listens on {address}; the application is not running")


async def test_somebody_listens_on_another_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        async with explaining(f"location / {{ uwsgi_pass 127.0.0.1:{port}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert f"nobody listens on 127.0.0.1:{port}; on port {port} there is 127.0.0.2:{port} of" in cause(engine)


def test_localhost_is_two_addresses() -> None:
    text = tcp.refused("::1", 8000, "localhost", [TcpListener("127.0.0.1", 8000, 0)])
    assert text.startswith("nobody listens on [::1]:8000; on port 8000 there is 127.0.0.1:8000 of root")
    assert 'the name "localhost" stands for 127.0.0.1 and ::1' in text


def test_a_usual_port_near_it() -> None:
    text = tcp.refused("127.0.0.1", 3031, "", [TcpListener("127.0.0.1", 5000, 0), TcpListener("127.0.0.1", 22, 0)])
    assert "(there is 127.0.0.1:5000 of root)" in text


def test_another_machine_knows_itself() -> None:
    assert tcp.refused("192.0.2.1", 80).startswith("192.0.2.1 is there, and nobody listens on its port 80")


@pytest.mark.parametrize(
    ("code", "words"), [(errno.EACCES, "httpd_can_network_connect"), (errno.EHOSTUNREACH, "no way leads to 192.0.2.1")]
)
def test_other_errors(code: int, words: str) -> None:
    assert words in (tcp.why("192.0.2.1", 80, code) or "")


def test_nothing_to_add() -> None:
    assert tcp.why("127.0.0.1", 80, errno.EMFILE) is None
