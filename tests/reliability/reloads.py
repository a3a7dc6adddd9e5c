"""Reloads under load, and workers that are killed: no new request fails, and nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.process.running import until
from tests.reliability.clients import beside
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import serving

cases = Cases("reload")

CONF = """
    limit_req_zone $uri zone=r:64k rate=10000r/s;
    server { listen 127.0.0.1:@0@; location = /small { limit_req zone=r burst=100 nodelay; return 200 small; }
             location = /status { stub_status; } }
"""


@cases
def reloads_under_load(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 4, 60))
    with serving(name, folder, CONF) as server:
        with beside(server.port, new=True) as new, beside(server.port) as kept:
            descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            for _ in range(count):
                server.reload()
            until(lambda: len(server.workers) == 1, "the old workers to end", 60)
        yield Figure("reloads", count, least=count)
        yield Figure("requests on new connections", len(new.waits), least=count)
        yield Figure("of them failed", sum(new.failed.values()), most=0)
        # A server may close a kept connection when it likes, and the request that is on its way fails with it.
        yield Figure("kept connections that were closed", sum(kept.failed.values()), most=2 * count)
        more = len(os.listdir(f"/proc/{server.process.pid}/fd")) - descriptors
        yield Figure("descriptors more in the master", more, most=3)


@cases
def workers_that_are_killed(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 3, 30))
    with serving(name, folder, CONF) as server:
        server.allowed.append(r"exited on signal 9")
        longest = 0.0
        for _ in range(count):
            (worker,) = server.workers
            os.kill(worker, signal.SIGKILL)
            began = time.monotonic()
            until(lambda gone=worker: _answers(server) and gone not in server.workers, "another worker", 60)
            longest = max(longest, time.monotonic() - began)
        yield Figure("killed", count, least=count)
        yield Figure("longest until the next answer", longest * 1e3, "ms", most=15000)
        yield Figure("connections counted", server.active() - 1, most=0)


def _answers(server: object) -> bool:
    with contextlib.suppress(OSError):
        return server.get("/small", 5)[0] == 200  # type: ignore[attr-defined, no-any-return]
    return False
