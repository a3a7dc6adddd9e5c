"""The stream block in a configuration of its own, and beside http."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.modules.loading import load_text
from tests.process.running import GATEWAY, Running, free_port, until


def test_both_blocks_listen(tmp_path: Path) -> None:
    text = "events { } http { server { listen 127.0.0.1:1; } } stream { server { listen 127.0.0.1:2; return a; } }"
    assert [address.text for address in load_text(tmp_path, text).listens] == ["127.0.0.1:1", "127.0.0.1:2"]


def test_one_block_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"stream" directive is duplicate'):
        load_text(tmp_path, "events { } stream { } stream { }")


def test_a_block_that_is_not_closed_names_its_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no "listen" is defined for server in .*nginx.conf:1'):
        load_text(tmp_path, "events { } stream { server { return a; } }")


def read(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        return client.recv(100)


def test_reload_hands_the_socket_over(tmp_path: Path) -> None:
    engine = Running(tmp_path, GATEWAY)
    with engine:
        engine.configure("daemon off;", f"127.0.0.1:{free_port()}")
        file = engine.folder / "nginx.conf"
        port = free_port()
        plain = file.read_text()
        file.write_text(plain + f"stream {{ server {{ listen 127.0.0.1:{port}; return one; }} }}")
        engine.start()
        assert read(port) == b"one"
        file.write_text(plain + f"stream {{ server {{ listen 127.0.0.1:{port}; return two; }} }}")
        engine.send(signal.SIGHUP)
        until(lambda: read(port) == b"two", "the new configuration")
        engine.end()
        engine.no_alerts()
