"""Three gateways and a real store: one limit over all, also while the store is killed, paused and emptied."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cluster.redis import Redis, needs_redis
from tests.process.running import GATEWAY, Running, fetch, free_port, until

pytestmark = needs_redis

RATE = 50
NODES = 3


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


class Node(Running):
    def __init__(self, folder: Path, redis: Redis) -> None:
        folder.mkdir()
        super().__init__(folder, GATEWAY)
        self.port = free_port()
        (folder / "nginx.conf").write_text(
            f"""pid nginx.pid; error_log error.log notice; worker_processes 2; daemon off; events {{ }} http {{
            access_log off; keepalive_requests 100000;
            limit_req_zone $arg_k zone=one:1m rate={RATE}r/s sync;
            keyval_zone zone=pairs:1m timeout=1h sync; keyval $arg_k $pair zone=pairs;
            zone_sync_store {redis.url} timeout=2s;
            server {{ listen 127.0.0.1:{self.port};
                location / {{ limit_req zone=one burst=10 nodelay; empty_gif; }}
                location /pair {{ return 200 "[$pair]"; }}
                location /api/ {{ api write=on; }} }} }}"""
        )

    @property
    def online(self) -> bool:
        return '"online":true' in fetch(("127.0.0.1", self.port), "/api/9/http/zone_sync")


class Load:
    """Requests to each node, so many a second, until it is asked to stop."""

    def __init__(self, nodes: list[Node], each: int) -> None:
        self.each = each
        self.statuses: Counter[int] = Counter()
        self.errors: list[Exception] = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(node.port,)) for node in nodes]
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()

    def _run(self, port: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            while not self.stopped.wait(1 / self.each):
                connection.request("GET", "/?k=a")
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def stop(self) -> float:
        """Seconds that it went on."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors
        assert set(self.statuses) <= {200, 503}, self.statuses
        return time.monotonic() - self.began


def test_one_limit_over_three(tmp_path: Path, redis: Redis) -> None:
    nodes = [Node(tmp_path / str(number), redis) for number in range(NODES)]
    with nodes[0], nodes[1], nodes[2]:
        for node in nodes:
            node.start()
        until(lambda: all(node.online for node in nodes), "all to be online")
        # together: what the rate and the burst allow, not three times that
        load = Load(nodes, 100)
        time.sleep(4)
        seconds = load.stop()
        assert load.statuses[200] < 1.5 * RATE * seconds + 10, (load.statuses, seconds)
        assert load.statuses[200] > 0.6 * RATE * seconds, (load.statuses, seconds)

        # the store killed: nobody notices but the log, and each node goes on by itself
        load = Load(nodes, 100)
        redis.kill()
        until(lambda: not any(node.online for node in nodes), "all to be offline")
        time.sleep(1)
        redis.start()
        until(lambda: all(node.online for node in nodes), "all to be online again")
        # paused
        redis.pause()
        until(lambda: not any(node.online for node in nodes), "all to be offline")
        redis.go_on()
        until(lambda: all(node.online for node in nodes), "all to be online again")
        redis.ask("FLUSHALL")
        time.sleep(0.5)
        load.stop()
        for node in nodes:
            told = [line for line in (node.folder / "error.log").read_text().splitlines() if "zone sync store" in line]
            assert [("[error]" in line, "is back after" in line) for line in told] == [(True, False), (False, True)] * 2

        # what one node is told, all know
        body = b'{"a": "1"}'
        connection = HTTPConnection("127.0.0.1", nodes[0].port, timeout=15)
        connection.request("POST", "/api/9/http/keyvals/pairs", body)
        assert connection.getresponse().status == 201
        connection.close()
        for node in nodes:
            until(lambda node=node: fetch(("127.0.0.1", node.port), "/pair?k=a") == "[1]", "the pair")
