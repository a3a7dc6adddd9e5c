"""A real nginx that serves an http block, to compare gateway's answers with."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.engine import Reply, read_reply
from tests.ports import free_port as free_port

NGINX = shutil.which("nginx")

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextlib.contextmanager
def nginx_serving(text: str, folder: Path, port: int) -> Iterator[int]:
    """Run nginx in the foreground, one process, until the block is left; `text` must listen on the port."""
    conf = folder / "nginx.conf"
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ }}\nhttp {{ access_log off;\n{paths}\n{text}\n}}\n"
    )
    process = subprocess.Popen([str(NGINX), "-e", f"{folder}/error.log", "-c", str(conf)], stderr=subprocess.PIPE)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1].decode())
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def fetch(port: int, data: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def get(port: int, target: str, host: str = "localhost", headers: str = "") -> Reply:
    data = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode("latin-1")
    return read_reply(fetch(port, data))
