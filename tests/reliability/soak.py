"""Phases of honest load and of faults, one after the other: what a worker holds more of after each."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import certificates
from tests.process.running import until
from tests.reliability.backend import Backend, backend
from tests.reliability.clients import REQUEST, at_once
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("soak")

_MIB = 1 << 20
CONF = """
    client_max_body_size 0; client_body_buffer_size 4k; proxy_cache_path @HOME@/cache keys_zone=k:128k max_size=2m;
    proxy_read_timeout 3s; proxy_connect_timeout 2s; limit_conn_zone $server_name zone=c:64k;
    upstream u { zone u 64k; server 127.0.0.1:%(port)d max_fails=0; keepalive 8; }
    server {
        listen 127.0.0.1:@0@; http2 on; root @HOME@/site; limit_conn c 1000;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }
        location /cached/ { proxy_pass http://u/; proxy_cache k; proxy_cache_valid 200 1m; gzip on; gzip_types *; }
        location /tunnel {
            proxy_pass http://u; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }
    }
    server {
        listen 127.0.0.1:@1@ ssl; ssl_certificate @HOME@/server.pem; ssl_certificate_key @HOME@/server.key;
        location / { return 200 small; }
    }
"""
UPGRADE = b"GET /tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
POST = b"POST /bytes/100 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"


def _speak(port: int, data: bytes, most: int = 1 << 30, wait_s: float = 5.0) -> None:
    """Send, read up to so much, close; with bytes unread that is a reset."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), wait_s) as connection:
        connection.settimeout(wait_s)
        connection.sendall(data)
        received = 0
        while received < most and (part := connection.recv(65536)):
            received += len(part)


def _closing(path: str) -> bytes:
    return (REQUEST % path.encode()).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


Phase = Callable[[Server, Backend, random.Random], None]


def honest(server: Server, upstream: Backend, chance: random.Random) -> None:
    for path in ("/small", "/bytes/5000", "/bytes/300000", f"/cached/bytes/{chance.randrange(9000)}"):
        _speak(server.port, _closing(path))
    _speak(server.port, POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"x" * 200000)


def clients_that_go_away(server: Server, upstream: Backend, chance: random.Random) -> None:
    _speak(server.port, _closing("/bytes/5000000"), most=chance.randrange(1, 500_000))
    _speak(server.port, _closing("/cached/bytes/400000"), most=1)
    _speak(server.port, POST + b"x" * chance.randrange(200000), most=0)
    _speak(server.port, b"GET /small HTT", most=0)
    _speak(server.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(50), most=10)


def upstreams_that_fail(server: Server, upstream: Backend, chance: random.Random) -> None:
    for path in ("/cuts", "/garbage", "/cached/cuts"):
        _speak(server.port, _closing(path))


def upstreams_that_die(server: Server, upstream: Backend, chance: random.Random) -> None:
    _speak(server.port, _closing("/dies"))
    assert upstream.process is not None
    upstream.process.wait(30)

    def back() -> bool:
        # Once more it may be: a request that failed on a kept connection is sent again.
        if upstream.process is not None and upstream.process.poll() is not None:
            upstream.start()
        return server.get("/bytes/10")[0] == 200

    until(back, "the upstream to be back", 90)


def tls_that_is_none(server: Server, upstream: Backend, chance: random.Random) -> None:
    _speak(server.ports[1], b"GET / HTTP/1.0\r\n\r\n")
    _speak(server.ports[1], b"\x16\x03\x01" + os.urandom(chance.randrange(300)), most=0)
    _speak(server.ports[1], b"", most=0)


def tunnels(server: Server, upstream: Backend, chance: random.Random) -> None:
    _speak(server.port, UPGRADE + b"x" * 1000, most=chance.randrange(1, 1000))


PHASES: tuple[Phase, ...] = (
    honest,
    clients_that_go_away,
    upstreams_that_fail,
    tls_that_is_none,
    tunnels,
    upstreams_that_die,
    honest,
)


def _rounds(phase: Phase, server: Server, upstream: Backend, seconds: float) -> int:
    """Do it by four clients for so long; how often it was done."""
    until_ = time.monotonic() + seconds
    count = 0

    def client(number: int) -> None:
        nonlocal count
        chance = random.Random(number)
        while time.monotonic() < until_:
            phase(server, upstream, chance)
            count += 1

    at_once(1 if phase is upstreams_that_die else 4, client)
    return count


@cases
def phases_with_faults(name: str, folder: Path, much: float) -> Iterator[Figure]:
    (folder / name).mkdir(parents=True, exist_ok=True)
    certificates.write(folder / name)
    with backend() as upstream, serving(name, folder, CONF % {"port": upstream.port}) as server:
        server.allowed.append(r"\[alert\].*open socket")
        until(lambda: server.get("/bytes/10")[0] == 200, "the upstream", 60)
        for phase in PHASES[:3]:  # what is made once, is made now
            _rounds(phase, server, upstream, between(much, 0.5, 5))
        server.settle()
        time.sleep(0.5)
        memory, descriptors = server.memory(), server.descriptors()
        for phase in PHASES:
            count = _rounds(phase, server, upstream, between(much, 0.6, 12))
            server.settle()
            what = phase.__name__.replace("_", " ")
            yield Figure(f"{what}: times", count, least=1)
            yield Figure(f"{what}: memory more", (server.memory() - memory) / _MIB, "MiB", most=12)
            yield Figure(f"{what}: temporary files", server.files(), most=0)
            until(lambda: server.descriptors() <= descriptors + 12, "descriptors to be closed", 30)
            yield Figure(f"{what}: descriptors more", server.descriptors() - descriptors, most=12)
        yield Figure("answers at the end", server.get("/small")[0], least=200, most=200)
