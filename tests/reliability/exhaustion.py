"""Memory, descriptors, the disk or a zone run out: it says so, others are served, and it goes on when there is room."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.process.running import until
from tests.reliability.backend import backend
from tests.reliability.clients import at_once, close_all
from tests.reliability.figures import Case, Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("exhaustion")

_MIB = 1 << 20
CONF = """
    client_max_body_size 0; limit_req_zone $arg_k zone=r:32k rate=1r/s;
    proxy_cache_path @HOME@/small/cache keys_zone=k:64k use_temp_path=off;
    server {
        listen 127.0.0.1:@0@; root @HOME@/site; client_body_temp_path @HOME@/small/body;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location /up { proxy_pass http://127.0.0.1:%(port)d/bytes/6; client_body_buffer_size 1k; }
        location /memory { proxy_pass http://127.0.0.1:%(port)d/bytes/6; client_body_buffer_size 64m; }
        location /cached/ { proxy_pass http://127.0.0.1:%(port)d/; proxy_cache k; proxy_cache_valid 200 1h; }
        location /limited { limit_req zone=r; return 200 small; }
    }
"""


@contextlib.contextmanager
def site(name: str, folder: Path, main: str = "") -> Iterator[Server]:
    (folder / name / "small").mkdir(parents=True, exist_ok=True)
    with backend() as upstream, serving(name, folder, CONF % {"port": upstream.port}, main=main) as server:
        until(lambda: server.get("/cached/bytes/10")[0] == 200, "the upstream", 60)
        yield server


def upload(server: Server, path: str, size: int) -> int:
    """The status; 0 if there is none."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    with contextlib.suppress(OSError):
        answer = server.ask(head.encode() + b"x" * size, timeout_s=20)
        return int(answer[9:12]) if answer else 0
    return 0


def recovered(server: Server) -> Iterator[Figure]:
    """Whether all is as it was."""
    with contextlib.suppress(AssertionError):
        until(lambda: upload(server, "/up", 100_000) == 200, "an upload to be taken", 20)
    statuses = [server.get("/small")[0], upload(server, "/up", 100_000), server.get("/cached/bytes/999")[0]]
    yield Figure("answers of 200 afterwards", statuses.count(200), "of 3", least=3)
    with contextlib.suppress(AssertionError):
        server.settle(20)
    yield Figure("connections left", server.active() - 1, most=0)
    yield Figure("temporary files left", server.files(), most=0)


@cases
def memory(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """Under RLIMIT_AS, as many uploads as do not fit; then without it."""
    count = int(between(much, 6, 16))
    with site(name, folder) as server:
        server.allowed.append(r"malloc\(\) failed \(12: Cannot allocate memory\)")
        (worker,) = server.workers
        found = re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())
        assert found is not None
        before = server.memory()
        resource.prlimit(worker, resource.RLIMIT_AS, (int(found[1]) * 1024 + 60 * _MIB, resource.RLIM_INFINITY))
        statuses: Counter[int] = Counter()
        at_once(count, lambda number: statuses.update([upload(server, "/memory", 30 * _MIB)]))
        yield Figure("uploads that were refused", statuses[500] + statuses[0], f"of {count}")
        with contextlib.suppress(OSError):
            yield Figure("an answer under the limit", server.get("/small", 5)[0], least=200, most=200)
        resource.prlimit(worker, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        yield from recovered(server)
        yield Figure("the same worker", server.workers == [worker], least=1)
        yield Figure("memory more", (server.memory() - before) / _MIB, "MiB", most=96)


@cases
def descriptors(name: str, folder: Path, much: float) -> Iterator[Figure]:
    with site(name, folder) as server:
        (worker,) = server.workers
        held = server.descriptors() + 20
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (held, held))
        clients: list[socket.socket] = []
        for _ in range(60):
            with contextlib.suppress(OSError):
                clients.append(socket.create_connection(("127.0.0.1", server.port), 1))
        cpu = server.cpu_s()
        time.sleep(between(much, 1.2, 3))
        yield Figure("CPU meanwhile", server.cpu_s() - cpu, "s", most=1)
        yield Figure("lines about it", len(re.findall(r"\[crit\].*accept4?\(\) failed \(24", server.log)), least=1)
        close_all(clients)
        time.sleep(0.6)
        yield from recovered(server)


def small_disk(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """client_body_temp_path and a cache on a file system of 2 MiB."""
    place = folder / name / "small"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", str(place)], check=True)
    try:
        with site(name, folder) as server:
            statuses = [upload(server, "/up", 5 * _MIB) for _ in range(int(between(much, 2, 10)))]
            yield Figure("other statuses than 500", len([status for status in statuses if status != 500]), most=0)
            pattern = r"\[crit\].*pwritev?\(\).*(No space left on device|has written only)"
            yield Figure("lines about it", len(re.findall(pattern, server.log)), least=1)
            for number in range(60):
                server.get(f"/cached/bytes/{100_000 + number}")
            yield Figure("an answer beside", server.get("/small")[0], least=200, most=200)
            for file in (place / "cache").iterdir():
                file.unlink()
            yield from recovered(server)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


cases.append(Case("exhaustion", "a small disk", small_disk, root=True))


@cases
def a_log_on_a_full_disk(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """/dev/full is that for any log."""
    with site(name, folder, main="error_log /dev/full info;") as server:
        statuses = {server.get(path)[0] for path in ("/small", "/none", "/up") for _ in range(20)}
        yield Figure("other answers than 200 and 404", len(statuses - {200, 404}), most=0)
        yield from recovered(server)


@cases
def a_zone(name: str, folder: Path, much: float) -> Iterator[Figure]:
    with site(name, folder) as server:
        server.allowed.append(r"could not allocate node")
        statuses = Counter(server.get(f"/limited?k={number}")[0] for number in range(int(between(much, 400, 3000))))
        yield Figure("other answers than 200 and 503", sum(statuses.values()) - statuses[200] - statuses[503], most=0)
        for number in range(int(between(much, 100, 1000))):
            server.get(f"/cached/bytes/{number}")
        yield from recovered(server)


def can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None
