"""What a client does that means no good: memory and connections that it takes, and whether others are served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import h2.connection
import h2.settings

from tests.reliability.clients import beside, close_all, silent
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("attacks")

_MIB = 1 << 20
FILE_MIB = 16
CONF = """
    gzip_types *; client_header_timeout 2s; send_timeout 60s;
    server {
        listen 127.0.0.1:@0@; http2 on; root @HOME@/site; large_client_header_buffers 4 8k;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location /gzip { gzip on; alias @HOME@/site/large; }
        location /sub { sub_filter nothing something; sub_filter_types *; alias @HOME@/site/large; }
        location /ssi { ssi on; ssi_types *; alias @HOME@/site/large; }
    }
"""


def site(name: str, folder: Path) -> AbstractContextManager[Server]:
    place = folder / name / "site"
    place.mkdir(parents=True, exist_ok=True)
    (place / "large").write_bytes(os.urandom(_MIB) * FILE_MIB)
    return serving(name, folder, CONF)


def grown(server: Server, before: int, count: int) -> float:
    """MiB for each of them, at the moment at which it is the most."""
    most = 0
    for _ in range(10):
        most = max(most, server.memory())
        time.sleep(0.1)
    return max(0, most - before) / _MIB / count


def _reads_nothing(path: bytes, most_mib: float) -> Callable[[str, Path, float], Iterator[Figure]]:
    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        count = int(between(much, 5, 20))
        with site(name, folder) as server:
            before = server.memory()
            head = b"GET %b HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n" % path
            clients = silent(server.port, count, head)
            yield Figure("memory for each client", grown(server, before, count), "MiB", most=most_mib)
            yield Figure("an answer beside", server.get("/small")[0], least=200, most=200)
            close_all(clients)
            server.settle()

    return run


# Far below the file: it is read as far as the client takes it.
for _name, _path in {"gzip": b"/gzip", "sub_filter": b"/sub", "ssi": b"/ssi", "plain": b"/large"}.items():
    _run = _reads_nothing(_path, FILE_MIB / 2)
    _run.__name__ = f"clients that read nothing of a file, {_name}"
    cases(_run)


@cases
def HTTP2_streams_with_a_window_of_zero(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 10, 60))
    with site(name, folder) as server:
        before = server.memory()
        client = h2.connection.H2Connection()
        client.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
        )
        client.initiate_connection()
        for number in range(count):
            fields = [(":method", "GET"), (":scheme", "http"), (":path", "/gzip"), (":authority", "a")]
            client.send_headers(1 + 2 * number, [*fields, ("accept-encoding", "gzip")], end_stream=True)
        clients = silent(server.port, 1, client.data_to_send())
        yield Figure("memory for each stream", grown(server, before, count), "MiB", most=4)
        yield Figure("an answer beside", server.get("/small")[0], least=200, most=200)
        close_all(clients)
        server.settle()


@cases
def heads_that_never_end(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 200, 1000))
    with site(name, folder) as server:
        before = server.memory()
        clients = silent(server.port, count, b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        with beside(server.port) as probe:
            yield Figure("memory for each", grown(server, before, count) * 1024, "KiB", most=64)
            time.sleep(between(much, 0.5, 2))
        server.settle(60)  # client_header_timeout
        yield Figure("open after client_header_timeout", server.active() - 1, most=0)
        yield Figure("others' failures", sum(probe.failed.values()), most=0)
        close_all(clients)


@cases
def heads_that_are_too_large(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 20, 200))
    with site(name, folder) as server:
        before = server.memory()
        statuses = set()
        field = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000
        data = (field, b"GET /" + b"y" * 50_000, b"\x16\x03\x01" * 5000)
        for number in range(count):
            statuses.add(server.ask(data[number % 3] + b"\r\n\r\n")[9:12])
        yield Figure("other answers than 400 and 414", len(statuses - {b"400", b"414", b""}), most=0)
        yield Figure("growth", max(0, server.memory() - before) / _MIB, "MiB", most=48)


@cases
def HTTP2_rapid_reset(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 3000, 20000))
    with site(name, folder) as server:
        before = server.memory()
        client = h2.connection.H2Connection()
        client.initiate_connection()
        data = [client.data_to_send()]
        for number in range(count):
            fields = [(":method", "GET"), (":scheme", "http"), (":path", "/large"), (":authority", "a")]
            client.send_headers(1 + 2 * number, fields, end_stream=True)
            client.reset_stream(1 + 2 * number, 8)
            data.append(client.data_to_send())
        cpu = server.cpu_s()
        with beside(server.port) as probe:
            server.ask(b"".join(data))
        yield Figure("CPU for each", (server.cpu_s() - cpu) / count * 1e6, "µs", most=2000)
        yield Figure("growth", max(0, server.memory() - before) / _MIB, "MiB", most=64)
        yield Figure("others' failures", sum(probe.failed.values()), most=0)
        server.settle()
