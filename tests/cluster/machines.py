"""Gateways and a store as machines of their own (namespaces.py), and clients who ask them."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.namespaces import BACK, FRONT, Network, within
from tests.cluster.redis import SERVER, Redis
from tests.process.running import GATEWAY, Running

RATE, EXACT_RATE, EXACT_BURST = 100, 20, 5
STORE = 9


class Store(Redis):
    """On the back wire alone."""

    def __init__(self, network: Network, folder: Path) -> None:
        super().__init__(folder)
        self.network = network
        self.namespace = network.machine("store", STORE, "back")
        self.slower: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert SERVER is not None
        with within(self.namespace):
            self.process = subprocess.Popen(
                [SERVER, "--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""],
                cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def slow_down(self) -> None:
        """It is busy for a fifth of a second at a time, with a moment between."""
        script = """local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
            local till = now() + 200000 while now() < till do end return 1"""
        with within(self.namespace):
            self.slower = subprocess.Popen(
                ["redis-cli", "-r", "-1", "eval", script, "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def speed_up(self) -> None:
        if self.slower is not None:
            self.slower.kill()
            self.slower.wait()
            self.slower = None

    def kill(self) -> None:
        self.speed_up()
        super().kill()

    def flush(self) -> None:
        with within(self.namespace):
            subprocess.run(["redis-cli", "flushall"], stdout=subprocess.DEVNULL, timeout=10, check=True)


class Node(Running):
    def __init__(
        self, network: Network, number: int, folder: Path, locations: str = "", main: str = "", more: str = ""
    ) -> None:
        folder.mkdir()
        super().__init__(folder, GATEWAY)
        self.network = network
        self.name = f"n{number}"
        self.host = f"{FRONT}.{number}"
        self.namespace = network.machine(self.name, number)
        (folder / "nginx.conf").write_text(
            f"""user root; pid nginx.pid; error_log error.log notice; worker_processes 2; daemon off;
            events {{ }} http {{ access_log off; keepalive_requests 1000000;
            limit_req_zone $arg_k zone=one:1m rate={RATE}r/s sync;
            limit_req_zone $arg_k zone=logins:1m rate={EXACT_RATE}r/s sync;
            zone_sync_store redis://{BACK}.{STORE}:6379 {more};
            {main}
            server {{ listen 80; {"listen 443 ssl;" if "ssl_certificate" in main else ""}
                location / {{ limit_req zone=one burst=20 nodelay; empty_gif; }}
                location /login {{ limit_req zone=logins burst={EXACT_BURST} nodelay exact; empty_gif; }}
                location /api/ {{ api write=on; }} {locations} }} }}"""
        )

    def start(self, *more: str, wait: bool = True, **options: Any) -> subprocess.Popen[bytes]:
        with within(self.namespace):
            return super().start(*more, wait=wait, **options)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        wire = http.client.HTTPConnection(self.host, timeout=15)
        wire.sock = self.network.connect(self.host, 80)
        wire.request(method, path, body, fields)
        answer = wire.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        wire.close()
        return found

    @property
    def online(self) -> bool:
        return bool(json.loads(self.ask("/api/9/http/zone_sync")[2])["online"])


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when, seconds since the load began; what it was answered, and after how long."""

    at: float
    path: str
    status: int
    took: float


class Load:
    """So many requests a second for each path over all nodes, each on a kept connection, until it is asked to stop."""

    def __init__(self, nodes: list[Node], rates: dict[str, int]) -> None:
        self.asked: list[Asked] = []
        self.errors: list[str] = []
        self.stopped = threading.Event()
        self.began = time.monotonic()
        self.threads = [
            threading.Thread(target=self._run, args=(node, path, len(nodes) / rate))
            for node in nodes
            for path, rate in rates.items()
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, node: Node, path: str, every: float) -> None:
        wire: http.client.HTTPConnection | None = None
        following = time.monotonic()
        while not self.stopped.is_set():
            following += every
            time.sleep(max(following - time.monotonic(), 0))
            began = time.monotonic()
            try:
                if wire is None:
                    wire = http.client.HTTPConnection(node.host, timeout=15)
                    wire.sock = node.network.connect(node.host, 80)
                wire.request("GET", f"{path}?k=a")
                answer = wire.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{node.name}{path}: {error!r}")
                wire = None
            else:
                now = time.monotonic()
                self.asked.append(Asked(now - self.began, path, answer.status, now - began))
        if wire is not None:
            wire.close()

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def of(self, path: str, begin: float = 0.0, end: float = float("inf")) -> list[Asked]:
        return [each for each in self.asked if each.path == path and begin <= each.at < end]

    def admitted(self, path: str, begin: float, end: float) -> float:
        """How many a second."""
        return sum(each.status == 200 for each in self.of(path, begin, end)) / (end - begin)

    def stop(self) -> float:
        """Seconds that it went on."""
        seconds = self.now
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        return seconds

    def failed(self) -> list[str]:
        """What no client should meet."""
        return self.errors + [f"{each.path}: {each.status}" for each in self.asked if each.status not in (200, 503)]

    def worst_second(self, path: str) -> int:
        times = sorted(each.at for each in self.of(path) if each.status == 200)
        return max(sum(begin <= each < begin + 1 for each in times) for begin in times)
