"""What clients that read nothing cost a worker: its resident memory, with real sockets; http/feed.py."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, until

MIB = 1 << 20
SIZE = 24 * MIB
CLIENTS = 6
_GET = b"GET /large.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n"
_USER = "user root;" * (os.geteuid() == 0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path, GATEWAY) as running:
        yield running


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def settled(pid: int) -> int:
    """The memory once it grows no more."""
    seen: list[int] = []

    def calm() -> bool:
        seen.append(resident(pid))
        return len(seen) > 20 and max(seen[-20:]) - min(seen[-20:]) < 65536

    until(calm, "the worker's memory to be steady")
    return max(seen)


@pytest.mark.parametrize(
    ("filters", "each"),
    [("gzip on; gzip_types *; gzip_comp_level 1;", MIB), ("sub_filter_types *; sub_filter a bb;", MIB)],
)
def test_a_large_file_through_a_filter(engine: Running, port: int, filters: str, each: int) -> None:
    (engine.folder / "large.txt").write_bytes(random.Random(3).randbytes(SIZE))
    (engine.folder / "nginx.conf").write_text(f"""
        daemon off; {_USER} worker_processes 1; pid nginx.pid; events {{ }}
        http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {engine.folder}; {filters} sub_filter_once off;
            }} }}""")
    engine.start()
    (worker,) = engine.workers
    with ExitStack() as stack:

        def stalled() -> socket.socket:
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(_GET)
            return client

        stalled()  # what a worker touches first is no client's: pages that it shared with the master, libraries
        before = settled(worker)
        clients = [stalled() for _ in range(CLIENTS)]
        assert settled(worker) - before < CLIENTS * each
        # one of them reads all: the worker grows no more for it
        received = 0
        clients[0].settimeout(20)
        while data := clients[0].recv(MIB):
            received += len(data)
        assert received > SIZE
        assert resident(worker) - before < (CLIENTS + 2) * each
    engine.end()
    engine.no_alerts()
