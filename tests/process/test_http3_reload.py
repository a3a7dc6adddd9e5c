"""Connections of HTTP/3 outlive a reload, and the client's address."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic")

from tests.certificates import write
from tests.http3_client import Http3Client
from tests.process.running import GATEWAY, Running, alive, free_port, pid_in, until

DOWNLOADS = int(os.environ.get("GATEWAY_H3_DOWNLOADS", "6"))
SIZE = 1_500_000


@pytest.fixture
def serving(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Running, int]]:
    """Two workers; a file takes about three seconds. A daemon, if that is its parameter."""
    daemon = getattr(request, "param", "off")
    number = free_port()
    chain, key = write(tmp_path, "localhost")
    (tmp_path / "big").write_bytes(bytes(SIZE))
    names = "\n".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        worker_processes 2; error_log error.log info; pid nginx.pid; daemon {daemon};
        events {{ }}
        http {{
            {names} access_log off;
            ssl_certificate {chain}; ssl_certificate_key {key};
            server {{
                listen 127.0.0.1:{number} quic reuseport; server_name localhost; root {tmp_path};
                location = /who {{ return 200 $pid; }}
                location = /where {{ return 200 $remote_addr:$remote_port; }}
                location = /big {{ limit_rate 500k; }}
            }}
        }}
    """)
    with Running(tmp_path, GATEWAY) as gateway:
        if daemon == "on":
            assert gateway.start(wait=False).wait(60) == 0
            until(lambda: len(gateway.workers) == 2, "the workers", 60)
        else:
            gateway.start()
        yield gateway, number


def _download(port: int, begun: threading.Semaphore, outcomes: list[object]) -> None:
    try:
        client = Http3Client(port, within_s=200)
        number = client.begin("/big")
        while number not in client.answers:
            client.step()
        begun.release()
        while number not in client.whole:
            assert client.closed is None, client.closed
            client.step()
        outcomes.append(len(client.answers[number][1]))
        client.close()
    except BaseException as error:
        outcomes.append(error)


@pytest.mark.timeout(240)
def test_downloads_outlive_a_reload(serving: tuple[Running, int]) -> None:
    gateway, port = serving
    begun, outcomes = threading.Semaphore(0), list[object]()
    threads = [threading.Thread(target=_download, args=(port, begun, outcomes)) for _ in range(DOWNLOADS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=100), outcomes
    old = set(gateway.workers)
    os.kill(gateway.pid, signal.SIGHUP)
    until(lambda: len(gateway.workers) == 2 and not set(gateway.workers) & old, "new workers alone to begin", 60)
    assert not outcomes, "they were through before the reload"
    fresh = Http3Client(port, within_s=60)
    status, who = fresh.ask("/who")
    assert status == 200 and int(who) not in old
    fresh.close()
    for thread in threads:
        thread.join(150)
    assert outcomes == [SIZE] * DOWNLOADS
    until(lambda: not any(map(alive, old)), "the old workers to end", 60)


@pytest.mark.timeout(120)
def test_a_client_moves(serving: tuple[Running, int]) -> None:
    """From address to address (RFC 9000, 9): the kernel leads its packets to one worker or the other."""
    _, port = serving
    client = Http3Client(port, within_s=100)
    _, first = client.ask("/who")
    for _ in range(8):
        left = client.socket
        client.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.socket.connect(("127.0.0.1", port))
        left.close()
        assert client.ask("/who") == (200, first)
        where = client.socket.getsockname()
        assert client.ask("/where") == (200, f"{where[0]}:{where[1]}".encode())
    client.close()


def _who(port: int) -> int:
    """The worker that a new connection gets to; 0 for one that an ending worker closed."""
    client = Http3Client(port, within_s=60)
    try:
        number = client.begin("/who")
        while number not in client.whole:
            if client.closed is not None:
                # in the handshake, or after it
                assert client.closed.reason_phrase in ("graceful shutdown", "connection shutdown"), client.closed
                return 0
            client.step()
        head, text = client.answers[number]
        assert head[b":status"] == b"200"
        return int(text)
    finally:
        client.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("serving", ["on"], indirect=True)
def test_connections_outlive_a_binary_upgrade(serving: tuple[Running, int]) -> None:
    """Old workers end when their clients do, and leave what begins meanwhile to the new ones."""
    gateway, port = serving
    gateway.remember()
    old, workers = gateway.pid, set(gateway.workers)
    kept = [Http3Client(port, within_s=200) for _ in range(4)]
    of_old = [int(client.ask("/who")[1]) for client in kept]
    assert set(of_old) <= workers
    os.kill(old, signal.SIGUSR2)
    file = gateway.folder / "nginx.pid"
    until(lambda: pid_in(file) not in (0, old), "the new master", 60)
    until(lambda: len(gateway.workers) == 2, "its workers", 60)
    gateway.remember()
    numbers = [client.begin("/big") for client in kept]
    for client, number in zip(kept, numbers, strict=True):
        while number not in client.answers:
            client.step()
    os.kill(old, signal.SIGWINCH)
    until(lambda: all(_who(port) in gateway.workers for _ in range(8)), "new connections to be the new workers'", 60)
    for client, number in zip(kept, numbers, strict=True):
        while number not in client.whole:
            assert client.closed is None, client.closed
            client.step()
        assert len(client.answers[number][1]) == SIZE
        client.close()
    os.kill(old, signal.SIGQUIT)
    until(lambda: not alive(old), "the old master's end", 60)
