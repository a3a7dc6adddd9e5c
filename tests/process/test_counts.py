"""What a status_zone has counted is what its clients have: over workers, reloads, and one that dies."""

from __future__ import annotations

import collections
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.process.running import GATEWAY, Running, fetch, free_port, until

PATHS = {"/": 200, "/none": 404, "/empty": 204, "/moved": 301, "/odd": 599}


class Client:
    """Counts what it asks for and what it is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.codes: collections.Counter[str] = collections.Counter()
        self.sent = self.received = 0

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), 30)
        connection.settimeout(30)
        return connection

    def ask(self, connection: socket.socket, path: str) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Path: {path}\r\n\r\n".encode()
        connection.sendall(request)
        self.sent += len(request)

    def take(self, connection: socket.socket) -> None:
        """One answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"Content-Length", b"0"))
        while len(body) < length:
            body += self._more(connection)
        assert len(body) == length
        self.codes[head.split(b" ")[1].decode()] += 1

    def _more(self, connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        assert data
        self.received += len(data)
        return data

    def ask_all(self, connections: int) -> None:
        """Each path on so many connections, which workers share among them."""
        some = [self.connect() for _ in range(connections)]
        for path, status in PATHS.items():
            for connection in some:
                self.ask(connection, path)
            before = self.codes[str(status)]
            for connection in some:
                self.take(connection)
            assert self.codes[str(status)] == before + connections
        for connection in some:
            connection.close()

    def expected(self) -> dict[str, Any]:
        return {
            "processing": 0, "requests": self.codes.total(), "codes": dict(self.codes),
            "received": self.sent, "sent": self.received,
        }  # fmt: skip


def _shuts_down(pid: int) -> bool:
    try:
        return b"shutting down" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return True


def _shown(port: int, path: str) -> dict[str, Any]:
    found = json.loads(fetch(("127.0.0.1", port), f"/api/9/http/{path}"))
    return {key: found.get(key, 0) for key in ("processing", "requests", "received", "sent")} | {
        "codes": found["responses"]["codes"]
    }


@pytest.mark.parametrize("workers", [1, 4])
def test_what_clients_counted(tmp_path: Path, workers: int) -> None:
    port, status = free_port(), free_port()
    (tmp_path / "slow").write_bytes(b"x" * 3000)
    user = "user root;" * (os.geteuid() == 0)
    (tmp_path / "nginx.conf").write_text(f"""
        {user} worker_processes {workers}; daemon off; pid nginx.pid; error_log error.log; events {{ }}
        http {{
            access_log off; request_history ring requests=50;
            server {{
                listen 127.0.0.1:{port}; status_zone site; root {tmp_path};
                location / {{ status_zone place; return 200 hello; }}
                location /none {{ status_zone place; return 404; }}
                location /empty {{ status_zone place; return 204; }}
                location /moved {{ status_zone place; return 301 /; }}
                location /odd {{ status_zone place; request_history off; return 599 odd; }}
                location /slow {{ status_zone place; limit_rate 2k; }}
            }}
            server {{ listen 127.0.0.1:{status}; request_history off; location /api {{ api; }} }}
        }}""")

    def agree(client: Client) -> None:
        expected = client.expected()
        shown: list[Any] = []

        def same() -> bool:
            # a request is counted once its last byte is with the kernel: the client may be a moment earlier
            shown[:] = [_shown(status, "server_zones/site"), _shown(status, "location_zones/place")]
            return shown == [expected, expected]

        try:
            until(same, "the same counts", 30)
        except AssertionError:
            assert shown == [expected, expected]
            raise

    with Running(tmp_path, GATEWAY) as running:
        running.start()
        until(lambda: len(running.workers) == workers, "the workers")
        client = Client(port)
        client.ask_all(20)
        agree(client)

        # what is under way at a reload is counted by the old workers, when it ends
        slow = client.connect()
        client.ask(slow, "/slow")
        until(lambda: _shown(status, "server_zones/site")["processing"] == 1, "the slow one to be under way")
        old = set(running.workers)
        running.send(signal.SIGHUP)
        until(lambda: len(set(running.workers) - old) == workers, "new workers")
        # until then they accept, too, and close what has not asked yet, as nginx does
        until(lambda: all(_shuts_down(pid) for pid in old), "the old workers to listen no more")
        client.ask_all(5)
        client.take(slow)
        slow.close()
        until(lambda: not set(running.workers) & old, "the old workers to end")
        agree(client)

        # what one had counted that dies stays counted; what was under way in it is not
        lost = [client.connect() for _ in range(8)]
        for connection in lost:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: _shown(status, "server_zones/site")["processing"] == 8, "requests under way")
        old = set(running.workers)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(set(running.workers) - old) == workers, "workers in their place")
        for connection in lost:
            connection.close()
        client.ask_all(5)
        agree(client)
        running.end()


@pytest.mark.parametrize("workers", [1, 4])
def test_sessions(tmp_path: Path, workers: int) -> None:
    port, datagrams, passed, status = free_port(), free_port(), free_port(), free_port()
    user = "user root;" * (os.geteuid() == 0)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as backend, Running(tmp_path, GATEWAY) as running:
        backend.settimeout(30)
        (tmp_path / "nginx.conf").write_text(f"""
            {user} worker_processes {workers}; daemon off; pid nginx.pid; error_log error.log; events {{ }}
            stream {{
                server {{ listen 127.0.0.1:{port}; status_zone site; return hello; }}
                server {{ listen 127.0.0.1:{datagrams} udp; status_zone site; return datagram; }}
                server {{ listen 127.0.0.1:{passed}; status_zone site;
                          proxy_pass 127.0.0.1:{backend.getsockname()[1]}; }}
            }}
            http {{ access_log off; server {{ listen 127.0.0.1:{status}; location /api {{ api; }} }} }}""")
        running.start()
        until(lambda: len(running.workers) == workers, "the workers")
        counted: collections.Counter[str] = collections.Counter()

        def ask(sessions: int) -> None:
            for _ in range(sessions):
                with socket.create_connection(("127.0.0.1", port), 30) as client:
                    assert client.recv(100) == b"hello"
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(30)
                    client.sendto(b"four", ("127.0.0.1", datagrams))
                    assert client.recv(100) == b"datagram"
            counted.update(connections=2 * sessions, received=4 * sessions, sent=13 * sessions)

        def begin() -> tuple[socket.socket, socket.socket]:
            client = socket.create_connection(("127.0.0.1", passed), 30)
            client.settimeout(30)
            return client, backend.accept()[0]

        def end(client: socket.socket, peer: socket.socket) -> None:
            client.sendall(b"request")
            assert peer.recv(100) == b"request"
            peer.sendall(b"answer")
            assert client.recv(100) == b"answer"
            peer.close()
            assert client.recv(100) == b""
            client.close()
            counted.update(connections=1, received=7, sent=6)

        def shown() -> dict[str, Any]:
            found = json.loads(fetch(("127.0.0.1", status), "/api/9/stream/server_zones/site"))
            assert found["sessions"] == {"2xx": found["connections"], "4xx": 0, "5xx": 0, "total": found["connections"]}
            return {key: found[key] for key in ("processing", "connections", "received", "sent")}

        def agree(processing: int = 0) -> None:
            expected = {"processing": processing, **{key: counted[key] for key in ("connections", "received", "sent")}}
            try:
                until(lambda: shown() == expected, "the same counts", 30)
            except AssertionError:
                assert shown() == expected
                raise

        def reload() -> None:
            old = set(running.workers)
            running.send(signal.SIGHUP)
            until(lambda: len(set(running.workers) - old) >= workers, "new workers")
            until(lambda: all(_shuts_down(pid) for pid in old), "the old workers to listen no more")

        ask(20)
        agree()

        # what is under way at two reloads is counted by the workers that it began in, when it ends
        early = begin()
        agree(1)
        reload()
        ask(5)
        late = begin()
        agree(1)
        reload()
        ask(5)
        agree()
        end(*early)
        agree()
        reload()  # the oldest workers have ended: what they had counted is kept
        agree()
        end(*late)
        until(lambda: len(running.workers) == workers, "the old workers to end")
        agree()
        reload()
        agree()

        # what one had counted that dies stays counted; what was under way in it is not
        lost = [begin() for _ in range(8)]
        agree(8)
        old = set(running.workers)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(set(running.workers) - old) == workers, "workers in their place")
        for client, peer in lost:
            client.close()
            peer.close()
        ask(5)
        agree()
        running.end()
