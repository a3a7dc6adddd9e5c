"""Active health checks between real processes: gateway with two workers, and two uWSGI behind it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, free_port, until

UWSGI = shutil.which("pyuwsgi", path=str(Path(sys.executable).parent)) or shutil.which("uwsgi")
pytestmark = pytest.mark.skipif(UWSGI is None, reason="no uWSGI here")

APP = """
def application(env, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""


class App:
    """A uWSGI on a port of its own, started and stopped at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert UWSGI is not None
        plugins = ["--plugin", "python3"] if not UWSGI.endswith("pyuwsgi") else []
        command = [UWSGI, *plugins, "--socket", self.address, "--wsgi-file", str(self.folder / "app.py"), "--need-app"]
        self.process = subprocess.Popen(
            [*command, "--die-on-term"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self.accepts, "uWSGI to accept")

    def accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Client:
    """Asks without a pause, until told to stop; every answer is remembered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.failures: list[bytes] = []
        self.tries: Counter[str] = Counter()  # $upstream_addr: all peers that were tried for a request
        self.ending = False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> Client:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending = True
        self.thread.join()

    def _run(self) -> None:
        while not self.ending:
            try:
                self.ask()
            except OSError as error:
                self.failures.append(repr(error).encode())

    def served(self, *addresses: str) -> bool:
        """Whether each of these peers has answered a request alone; a request that failed fails the test."""
        assert not self.failures, self.failures[0]
        return self.tries.keys() >= set(addresses)

    def ask(self) -> str:
        """The peers that were tried for one request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            answer = b""
            while data := connection.recv(65536):
                answer += data
        if not answer.startswith(b"HTTP/1.1 200 "):
            self.failures.append(answer)
        found = re.search(rb"X-Tried: (.*)\r\n", answer)
        tried = found[1].decode() if found else ""
        self.tries[tried] += 1
        return tried


CONF = """
{user} daemon off; worker_processes 2; pid nginx.pid; error_log error.log debug;
events {{ }}
http {{
    upstream app {{ zone app 64k; server {one}; server {two}; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            uwsgi_pass app;
            uwsgi_param REQUEST_METHOD $request_method; uwsgi_param PATH_INFO $document_uri;
            uwsgi_param QUERY_STRING $query_string; uwsgi_param SERVER_NAME $server_name;
            uwsgi_param SERVER_PORT $server_port; uwsgi_param SERVER_PROTOCOL $server_protocol;
            add_header X-Tried $upstream_addr always;
            health_check interval=50ms fails=2 passes=3 {check};
        }}
    }}
}}
"""


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[tuple[App, App]]:
    # Once: a uWSGI listens before it reads its application, and must not meet the other's half-written file.
    (tmp_path / "app.py").write_text(APP)
    pair = App(tmp_path), App(tmp_path)
    try:
        for app in pair:
            app.start()
        yield pair
    finally:
        for app in pair:
            app.stop()


def changes(running: Running, word: str, address: str) -> list[int]:
    """The workers that found this change of a peer."""
    return [int(pid) for pid in running.logged(rf"(\d+)#\d+: peer is {word}\b.* of peer {address} ")]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", ["uri=/health", "type=uwsgi_ping"])
def test_a_peer_that_is_down_gets_no_requests(tmp_path: Path, apps: tuple[App, App], check: str) -> None:
    one, two = apps
    port = free_port()
    user = "user root;" * (os.geteuid() == 0)
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text(
            CONF.format(user=user, one=one.address, two=two.address, port=port, check=check)
        )
        running.start()
        with Client(port) as client:
            until(lambda: client.served(one.address, two.address), f"both to serve, not only {client.tries}", 60)
            two.stop()
            until(lambda: changes(running, "unhealthy", two.address), "the check to fail")
            # What was picked before that may still be under way; from now on it is not picked any more.
            settled = Client(port)
            for _ in range(50):
                settled.ask()
            assert settled.tries == {one.address: 50}
            two.start()
            until(lambda: changes(running, "healthy", two.address), "the check to pass")
            client.tries.clear()
            until(lambda: client.tries[two.address] > 5, "requests to go there again")
            assert not client.failures, client.failures[0]

        # the worker that probes dies: another one takes that over
        (prober,) = changes(running, "unhealthy", two.address)
        os.kill(prober, signal.SIGKILL)
        two.stop()
        until(lambda: len(changes(running, "unhealthy", two.address)) == 2, "another worker to probe")
        assert changes(running, "unhealthy", two.address)[1] != prober
        running.end()
    assert not [line for line in running.logged(r".*\[(?:alert|crit|emerg)\].*") if "signal 9" not in line]
