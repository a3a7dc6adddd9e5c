"""Peers in a zone, with real workers: each sees what the others count and change, and a reload keeps it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.running import GATEWAY, Running, until


class Backend:
    """An HTTP server of threads; `/hold` answers when it is let go."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        self.held = 0
        self.go = threading.Event()
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.answer, args=(connection,), daemon=True))
            self.threads[-1].start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            if data.startswith(b"GET /hold"):
                self.held += 1
                self.go.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self) -> None:
        self.go.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.close()


def configure(running: Running, port: int, upstream: str) -> None:
    (running.folder / "nginx.conf").write_text(
        f"""
        {"user root;" * (os.geteuid() == 0)} daemon off; pid nginx.pid; error_log error.log info; worker_processes 2;
        events {{ }}
        http {{
            access_log off;
            upstream u {{ {upstream} }}
            server {{
                listen 127.0.0.1:{port} reuseport;
                location / {{ proxy_pass http://u; }}
                location /api {{ api write=on; }}
            }}
        }}
        """
    )


def call(port: int, method: str, path: str, value: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request(method, path, None if value is None else json.dumps(value))
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status < 400, data
        return json.loads(data) if path.startswith("/api") and data else data
    finally:
        connection.close()


def of_each_worker(port: int, path: str, ready: Any = None) -> list[Any]:
    """The same answer's value from both workers: each call is a new connection, which the kernel gives to one."""
    found: dict[int, Any] = {}

    def look() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        connection.request("GET", "/api/9/nginx")
        pid = json.loads(connection.getresponse().read())["pid"]
        connection.request("GET", f"/api/9/http/upstreams/u{path}")
        found[pid] = json.loads(connection.getresponse().read())
        connection.close()
        return len(found) == 2 and (ready is None or all(ready(value) for value in found.values()))

    until(look, "both workers")
    return list(found.values())


def test_workers_count_together(tmp_path: Path, port: int, backend: Backend) -> None:
    with Running(tmp_path, GATEWAY) as running:
        configure(running, port, f"zone u 64k; server {backend.address} max_conns=2;")
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        for _ in range(30):
            assert call(port, "GET", "/") == b"ok"
        before = set(running.workers)
        os.kill(next(iter(before)), signal.SIGKILL)
        until(lambda: len(running.workers) == 2 and set(running.workers) != before, "a new worker")
        # the master counts it when the new one has begun
        until(lambda: call(port, "GET", "/api/9/processes") == {"respawned": 1}, "the master to have counted it")
        for shown in of_each_worker(port, "", lambda shown: shown["peers"][0]["active"] == 0):
            assert shown["peers"][0]["requests"] == 30 and shown["peers"][0]["responses"]["2xx"] == 30
        holders = [threading.Thread(target=call, args=(port, "GET", "/hold")) for _ in range(2)]
        for holder in holders:
            holder.start()
        until(lambda: backend.held == 2, "two requests under way")
        # full for both workers, whoever of them has the two
        for _ in range(12):
            with pytest.raises(AssertionError, match="502 Bad Gateway"):
                call(port, "GET", "/")
        assert [shown["peers"][0]["active"] for shown in of_each_worker(port, "")] == [2, 2]
        backend.go.set()
        for holder in holders:
            holder.join(15)
        of_each_worker(port, "", lambda shown: shown["peers"][0]["active"] == 0)
        assert call(port, "GET", "/") == b"ok"
        running.end()


def test_what_a_killed_worker_had_under_way_is_not_counted_on(tmp_path: Path, port: int, backend: Backend) -> None:
    with Running(tmp_path, GATEWAY) as running:
        configure(running, port, f"zone u 64k; server {backend.address} max_conns=2;")
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        with contextlib.ExitStack() as clients:
            for _ in range(2):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
                client.sendall(b"GET /hold HTTP/1.0\r\n\r\n")
            until(lambda: backend.held == 2, "two requests under way")
            with pytest.raises(AssertionError, match="502 Bad Gateway"):
                call(port, "GET", "/")
            before = set(running.workers)
            for worker in before:
                os.kill(worker, signal.SIGKILL)
            until(lambda: len(running.workers) == 2 and not before & set(running.workers), "new workers")
            assert [shown["peers"][0]["active"] for shown in of_each_worker(port, "")] == [0, 0]
            assert call(port, "GET", "/") == b"ok"
        running.end()


def test_changes_reach_all_workers_and_a_reload_keeps_what_is_known(
    tmp_path: Path, port: int, backend: Backend
) -> None:
    with Running(tmp_path, GATEWAY) as running:
        configure(running, port, f"zone u 64k; server {backend.address}; server 127.0.0.2:9 down;")
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        for _ in range(5):
            call(port, "GET", "/")
        made = call(port, "POST", "/api/9/http/upstreams/u/servers", {"server": backend.address, "weight": 3})
        assert made["id"] == 2
        assert [len(servers) for servers in of_each_worker(port, "/servers")] == [3, 3]
        call(port, "PATCH", "/api/9/http/upstreams/u/servers/0", {"down": True})
        for _ in range(6):
            call(port, "GET", "/")
        (before, _) = of_each_worker(port, "", lambda shown: not any(peer["active"] for peer in shown["peers"]))
        assert [peer["requests"] for peer in before["peers"]] == [5, 0, 6]
        old = set(running.workers)
        running.send(signal.SIGHUP)
        until(lambda: len(set(running.workers) - old) == 2 and not set(running.workers) & old, "new workers")
        for after in of_each_worker(port, ""):
            assert [(peer["id"], peer["requests"], peer["state"]) for peer in after["peers"]] == [
                (0, 5, "up"),
                (1, 0, "down"),
            ]
        running.end()
        running.no_alerts()


def test_state(tmp_path: Path, port: int, backend: Backend) -> None:
    with Running(tmp_path, GATEWAY) as running:
        configure(running, port, "zone u 64k; state servers.conf;")
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        call(port, "POST", "/api/9/http/upstreams/u/servers", {"server": backend.address, "weight": 3})
        assert call(port, "GET", "/") == b"ok"
        old = set(running.workers)
        running.send(signal.SIGHUP)
        until(lambda: len(set(running.workers) - old) == 2 and not set(running.workers) & old, "new workers")
        assert [servers[0]["weight"] for servers in of_each_worker(port, "/servers")] == [3, 3]
        assert call(port, "GET", "/") == b"ok"
        running.end()
        running.no_alerts()
    assert (tmp_path / "servers.conf").read_text() == f"server {backend.address} weight=3;\n"
