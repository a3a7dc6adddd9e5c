"""Fifty dashboards open while the ring of requests wraps, the server loads anew, and another binary takes over."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import re
import signal
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

from tests.process.running import Running, alive, fetch, free_port, pid_in, until

CONF = """
user root; pid nginx.pid; error_log error.log info; worker_processes 2; events { worker_connections 512; }
http {
    access_log off; request_history requests.ring requests=20 size=16k; large_client_header_buffers 4 32k;
    upstream app { zone app 64k; server 127.0.0.1:1; }
    upstream "<img src=x onerror=alert(1)>" { zone evil 64k; server 127.0.0.1:1; }
    server {
        listen 127.0.0.1:%d; server_name localhost; status_zone "<b>site</b>";
        location /gw/ { dashboard write=on replay=on app=app=unix:%s/stats; }
        location /api/ { api; }
        location / { return 200 ok; }
    }
}
"""
LOOKERS = 50
PATHS = ("", "requests", "events", "configuration", "data.json", "data.csv")


class Lookers:
    """Pages that look on, each over a connection of its own, and what came of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._look, args=(number,)) for number in range(LOOKERS)]
        self.threads.append(threading.Thread(target=self._ask))

    def _look(self, number: int) -> None:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=20)
        fields = {"X-Part": "1"} if number % 3 else {}
        shown = ""
        for turn in itertools.count(number):
            if self.over.is_set():
                break
            path = shown if shown and turn % 2 else f"/gw/{PATHS[turn % len(PATHS)]}"
            try:
                connection.request("GET", path, headers=fields)
                answer = connection.getresponse()
                text = answer.read().decode()  # UTF-8, whatever was asked
            except (ConnectionError, http.client.RemoteDisconnected):
                connection.close()  # a worker that ends closes what waits
                continue
            except (http.client.HTTPException, OSError, ValueError) as error:
                self.wrong.append(f"{path}: {error!r}")
                connection.close()
                continue
            self.statuses["one" if path == shown else path, answer.status] += 1
            if "<script>alert" in text or ("<img" in text and not path.endswith((".json", ".csv"))):
                self.wrong.append(f"{path}: markup of a client's")
            found = re.search(r'href="(/gw/requests/\w+)"', text)
            shown = found[1] if found else ""
            self.over.wait(0.1)
        connection.close()

    def _ask(self) -> None:
        """Requests of all sorts, which wrap the ring."""
        long = b"GET /%b?%b HTTP/1.0\r\n\r\n" % (b"a" * 8192, b"b" * 8192)
        odd = b"GET /\xff\xfe%ff<script>alert(1)</script> HTTP/1.0\r\nX-Evil: <script>alert(2)</script>\xff\r\n\r\n"
        for data in itertools.cycle((long, odd, b"G\xffT / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n")):
            if self.over.wait(0.002):
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
                    client.sendall(data)
                    while client.recv(65536):
                        pass
            except OSError as error:
                self.wrong.append(f"{data[:20]!r}: {error!r}")

    def seen(self) -> int:
        return sum(self.statuses.values())


def _stats(path: str, over: threading.Event) -> None:
    """A stats socket that hangs, says half of it, or nothing."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        os.chmod(path, 0o666)
        server.listen(64)
        server.settimeout(0.1)
        for turn in itertools.count():
            if over.is_set():
                break
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            with client:
                if turn % 3 == 0:
                    over.wait(0.6)
                elif turn % 3 == 1:
                    with contextlib.suppress(BrokenPipeError):  # who asked has given up, or is gone
                        client.sendall(b'{"workers": [{"id": 1, "stat')


def test_pages_over_reloads_and_an_upgrade(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "nginx.conf").write_text(CONF % (port, tmp_path))
    tmp_path.chmod(0o755)
    lookers = Lookers(port)
    stats = threading.Thread(target=_stats, args=(f"{tmp_path}/stats", lookers.over))
    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        stats.start()
        try:
            assert running.start(wait=False).wait(15) == 0
            until(lambda: running.workers, "a worker")
            old = running.pid
            for thread in lookers.threads:
                thread.start()
            for turn in range(3):
                before = lookers.seen()
                until(lambda before=before: lookers.seen() > before + 4 * LOOKERS, "pages", 60)
                if turn < 2:
                    running.send(signal.SIGHUP)
                    told = turn + 1
                    until(lambda told=told: running.log.count("gracefully shutting down") >= 2 * told, "the reload", 60)
            running.send(signal.SIGUSR2)
            pid = tmp_path / "nginx.pid"
            until(lambda: pid_in(pid) not in (0, old), "the new master", 60)
            until(lambda: running.workers, "its worker", 60)
            running.remember()
            os.kill(old, signal.SIGQUIT)
            until(lambda: not alive(old), "the old master's end", 60)
            before = lookers.seen()
            until(lambda: lookers.seen() > before + 2 * LOOKERS, "pages of the new one", 60)
        finally:
            lookers.over.set()
            for thread in (*(each for each in lookers.threads if each.ident), stats):
                thread.join(30)
        assert lookers.wrong == []
        assert {status for (path, status), _ in lookers.statuses.items() if path != "one"} == {200}
        assert {status for (path, status), _ in lookers.statuses.items() if path == "one"} <= {200, 404}
        assert "has taken over" in fetch(("127.0.0.1", port), "/api/9/events")
        running.end()
        running.no_alerts()
