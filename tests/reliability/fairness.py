"""Nobody waits for somebody else's bytes: others' longest wait beside one that sends, or is sent to, without an end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h2.connection

from tests.reliability.backend import backend
from tests.reliability.clients import Probe, beside, download, flood
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("fairness")

CONF = """
    client_max_body_size 0; gzip_types *; gzip_min_length 1;
    server {
        listen 127.0.0.1:@0@; http2 on; root @HOME@/site;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location /drop { proxy_pass http://127.0.0.1:%(port)d; proxy_request_buffering off; proxy_http_version 1.1; }
        location /kept { proxy_pass http://127.0.0.1:%(port)d; }
        location /bytes { proxy_pass http://127.0.0.1:%(port)d; proxy_max_temp_file_size 0; }
        location /straight/ { proxy_pass http://127.0.0.1:%(port)d/; proxy_buffering off; }
        location /zipped/ { proxy_pass http://127.0.0.1:%(port)d/; gzip on; }
        location /tunnel {
            proxy_pass http://127.0.0.1:%(port)d; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }
    }
"""
STREAM = "stream { server { listen 127.0.0.1:@1@; proxy_pass 127.0.0.1:%d; } }"
# A turn is some milliseconds; what is wrong makes others wait for as long as the bytes last.
MOST_MS = 1500
CHUNKED = b"POST /drop HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"POST /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"
UPGRADE = b"GET /tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"


@contextlib.contextmanager
def site(name: str, folder: Path) -> Iterator[Server]:
    with backend() as upstream:
        values = {"port": upstream.port}
        with serving(name, folder, CONF % values, tail=STREAM % upstream.port) as server:
            yield server


def disturbed(server: Server, work: Callable[[], int], seconds: float) -> Iterator[Figure]:
    """A light load beside `work`, which takes so long."""
    done: list[int] = []
    worker = threading.Thread(target=lambda: done.append(work()), daemon=True)
    began = time.monotonic()
    with beside(server.port) as probe:
        worker.start()
        worker.join(seconds + 60)
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))  # a flood that is ended early is over, too
    seconds = time.monotonic() - began
    yield Figure("moved", sum(done) / seconds / 1e6, "MB/s", least=0.0001)
    yield from waits(probe, seconds)


def waits(probe: Probe, seconds: float) -> Iterator[Figure]:
    yield Figure("others' longest wait", probe.longest_ms, "ms", most=MOST_MS)
    yield Figure("others' p99", probe.p99_ms, "ms")
    yield Figure("others' answers", len(probe.waits) / seconds, "/s", least=5)
    yield Figure("others' failures", sum(probe.failed.values()), most=0)


def _flooding(begin: bytes, part: bytes, port: int = 0) -> Callable[[str, Path, float], Iterator[Figure]]:
    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        seconds = between(much, 0.8, 5)
        with site(name, folder) as server:
            yield from disturbed(server, lambda: flood(server.ports[port], begin, part, seconds), seconds)

    return run


def _downloading(path: bytes) -> Callable[[str, Path, float], Iterator[Figure]]:
    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        seconds = between(much, 0.8, 5)
        with site(name, folder) as server:
            yield from disturbed(server, lambda: download(server.port, path, seconds), seconds)

    return run


def _http2(frames: bytes) -> bytes:
    """What opens a connection, then these frames."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    return client.data_to_send() + frames


SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
WINDOW = b"\0\0\4\x08\0\0\0\0\0\0\0\0\1"

for _name, _run in {
    "chunks of one byte": _flooding(CHUNKED, b"1\r\nx\r\n" * 20000),
    "a chunk of 1 MiB after the other": _flooding(CHUNKED, b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"),
    "a body that is buffered": _flooding(LONG, b"x" * (1 << 20)),
    "pipelined requests": _flooding(b"", b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n" * 1000),
    "an answer that is buffered": _downloading(b"/bytes/2000000000"),
    "an answer that is not": _downloading(b"/straight/bytes/2000000000"),
    "an answer in chunks of one byte": _downloading(b"/straight/chunks"),
    "an answer through gzip": _downloading(b"/zipped/bytes/2000000000"),
    "a tunnel": _flooding(UPGRADE, b"x" * (1 << 20)),
    "a session of stream": _flooding(UPGRADE, b"x" * (1 << 20), port=1),
    "SETTINGS of HTTP2": _flooding(_http2(b""), SETTINGS * 5000),
    "PING of HTTP2": _flooding(_http2(b""), PING * 5000),
    "window updates of HTTP2": _flooding(_http2(b""), WINDOW * 5000),
}.items():
    _run.__name__ = _name
    cases(_run)


@cases
def one_new_connection_after_the_other(name: str, folder: Path, much: float) -> Iterator[Figure]:
    seconds = between(much, 0.8, 5)
    with site(name, folder) as server, beside(server.port) as probe, beside(server.port, new=True) as new:
        time.sleep(seconds)
    yield Figure("connections", len(new.waits) / seconds, "/s", least=5)
    yield from waits(probe, seconds)
