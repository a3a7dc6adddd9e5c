"""A cache with real workers: they share what is kept, over a reload, and one of them removes what is too much."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.process.running import GATEWAY, Running, free_port, until


class Answers(BaseHTTPRequestHandler):
    """Each answer is another one."""

    count = 0

    def do_GET(self) -> None:
        Answers.count += 1
        body = b"%d" % Answers.count + bytes(50_000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Answers.count = 0
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, path: str) -> tuple[str | None, bytes]:
    """(cache status, the number in the answer)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.getheader("X-Cache"), answer.read().rstrip(b"\0")
    finally:
        connection.close()


def test_workers_share_it(tmp_path: Path, upstream: int) -> None:
    port = free_port()
    user = "user root; " * (os.geteuid() == 0)
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text(
            f"""{user} pid nginx.pid; error_log error.log; worker_processes 2; daemon off; events {{ }} http {{
            proxy_cache_path cache levels=1:2 keys_zone=one:64k max_size=300k manager_sleep=10ms;
            server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_cache one;
            proxy_cache_valid 1h; add_header X-Cache $upstream_cache_status; }} }} }}"""
        )
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        assert ask(port, "/a") == ("MISS", b"1")
        assert {ask(port, "/a") for _ in range(20)} == {("HIT", b"1")}
        before = set(running.workers)
        os.kill(running.pid, signal.SIGHUP)
        until(lambda: len(set(running.workers) - before) == 2, "new workers")
        assert {ask(port, "/a") for _ in range(20)} == {("HIT", b"1")}
        for number in range(20):
            ask(port, f"/{number}")
        until(lambda: len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) < 7, "the manager")
        assert ask(port, "/a")[0] == "MISS", "it was the one used least recently"
        os.kill(running.pid, signal.SIGTERM)
        assert running.process is not None and running.process.wait(15) == 0
        assert "[alert]" not in (tmp_path / "error.log").read_text()
