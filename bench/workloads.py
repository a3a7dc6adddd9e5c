"""The workloads: a configuration that nginx and gateway both take, and what is measured with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import http2
import http3
import stream
import tls
import tutorial
from harness import LOAD_CORE, Lab, Process, Refused, Server, fixed_port, measured, memory

Figures = dict[str, float]


@dataclass(frozen=True)
class Figure:
    """One row of the table: gateway / nginx should be at most `goal` (at least, where more is better).

    With `absolute` the goal is for gateway's own value; with `beside` the row is this figure / another workload's.
    """

    unit: str
    goal: float | None = None
    more_is_better: bool = False
    absolute: bool = False
    beside: str = ""


@dataclass(frozen=True)
class Workload:
    name: str
    figures: dict[str, Figure]
    measure: Callable[[Lab, Server], Figures]
    server: str = ""  # inside server { }
    http: str = ""  # inside http { }, before the server
    temp: tuple[str, ...] = ()  # upstream families whose temp path is wanted
    upstream: Callable[[Lab], AbstractContextManager[None]] = lambda lab: nullcontext()
    log: str = "off"
    servers: str = ""  # further servers, behind the one that is asked first
    main: str = ""  # beside http { }
    workers: int = 1
    # Its load lasts as long as is wanted, and has one figure: it is asked in short bursts, of servers that run at once.
    # So no port but the first one and that of TLS may stand in its configuration.
    bursts: bool = False

    def configuration(self, lab: Lab, port: int) -> str:
        # Any other user than root needs all temp paths in the prefix; root may keep nginx's own for what is not used.
        families = self.temp if os.geteuid() == 0 else ("proxy", "fastcgi", "uwsgi", "scgi")
        paths = [f"{name}_temp_path {name}_temp;" for name in ("client_body", *families)]
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONFIGURATION
        for name, value in {
            "@USER@": user, "@TEMP@": "\n    ".join(paths), "@LOG@": self.log, "@HTTP@": self.http,
            "@MAIN@": self.main, "@WORKERS@": str(self.workers),
            "@SERVER@": self.server, "@SERVERS@": self.servers, "@DIR@": str(lab.folder), "@PORT@": str(port),
        }.items():  # fmt: skip
            text = text.replace(name, value)
        return text


CONFIGURATION = """\
@USER@
worker_processes @WORKERS@;
worker_rlimit_nofile 20000;
daemon off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 12000; }
http {
    access_log @LOG@;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    sendfile on;
    @TEMP@
    @HTTP@
    server {
        listen 127.0.0.1:@PORT@ backlog=4096;
        root @DIR@/files;
        @SERVER@
    }
    @SERVERS@
}
@MAIN@
"""

UWSGI_PARAMS = "\n        ".join(
    f"uwsgi_param {name} ${value};"
    for name, value in {
        "QUERY_STRING": "query_string", "REQUEST_METHOD": "request_method", "CONTENT_TYPE": "content_type",
        "CONTENT_LENGTH": "content_length", "REQUEST_URI": "request_uri", "PATH_INFO": "document_uri",
        "DOCUMENT_ROOT": "document_root", "SERVER_PROTOCOL": "server_protocol", "REQUEST_SCHEME": "scheme",
        "REMOTE_ADDR": "remote_addr", "REMOTE_PORT": "remote_port", "SERVER_PORT": "server_port",
        "SERVER_NAME": "server_name",
    }.items()
)  # fmt: skip
RETURN = "location / { return 200 hello; }"
UNIX = "location / { " + UWSGI_PARAMS + "\n uwsgi_pass unix:@DIR@/up.sock; }"
# Written where the same port must be known to the configuration and to the responder.
UPSTREAM_PORT = fixed_port()


def cpu_per_request(lab: Lab, server: Server, request: Path, *options: object) -> Figures:
    """CPU µs a request, saturated, after a short warm-up."""
    lab.client(server, request, "-c", 32, "-d", lab.warm_s, *options)
    counted, cpu_s = measured(server, lambda: lab.client(server, request, "-c", 32, "-d", lab.seconds, *options))
    return {"": cpu_s / counted["requests"] * 1e6}


def plain(path: str, *options: object, **how: object) -> Callable[[Lab, Server], Figures]:
    def measure(lab: Lab, server: Server) -> Figures:
        return cpu_per_request(lab, server, lab.request(path, **how), *options)  # type: ignore[arg-type]

    return measure


Measure = Callable[[Lab, Server], Figures]


def static(name: str, size: int, *, text: str = "", fields: tuple[str, ...] = ()) -> Measure:
    def measure(lab: Lab, server: Server) -> Figures:
        lab.file(name, size, text=text)
        return cpu_per_request(lab, server, lab.request("/" + name, fields=fields))

    return measure


def large(name: str, size: int, requests: int, connections: int) -> Callable[[Lab, Server], Figures]:
    """CPU s per GiB, the client's share too: on loopback the kernel sends a part in its context."""

    def measure(lab: Lab, server: Server) -> Figures:
        lab.file(name, size)
        request = lab.request("/" + name)
        lab.client(server, request, "-c", connections, "-n", connections)
        counted, cpu_s = measured(server, lambda: lab.client(server, request, "-c", connections, "-n", requests))
        gib = counted["bytes"] / 2**30
        return {"": cpu_s / gib, " with client": (cpu_s + counted["cpu_s"]) / gib}

    return measure


def at_rate(rate: int) -> Callable[[Lab, Server], Figures]:
    def measure(lab: Lab, server: Server) -> Figures:
        request = lab.request("/")
        counted, cpu_s = measured(server, lambda: lab.client(server, request, "-c", 32, "-r", rate, "-d", lab.seconds))
        return {"": cpu_s / counted["requests"] * 1e6, " p99": counted["p99_us"]}

    return measure


def idle_connections(lab: Lab, server: Server) -> Figures:
    """PSS per idle keep-alive connection, and of worker and tree before any came; all must still answer afterwards."""
    count = 10_000
    before = sum(memory(pid, "Pss") for pid in server.pids())
    worker = max(memory(pid, "Pss") for pid in server.workers())
    argv = lab.client_argv(server, lab.request("/"), "-i", "-c", count, "-d", 60)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE})) as client:  # fmt: skip
        assert client.stdin and client.stdout
        try:
            if client.stdout.readline() != "ready\n":
                raise Refused("the client could not open 10,000 connections (ulimit -n?)")
            time.sleep(0.5)
            after = sum(memory(pid, "Pss") for pid in server.pids())
            client.stdin.write("\n")
            client.stdin.flush()
            counted = json.loads(client.stdout.readline())
        finally:
            client.kill()
    if counted["requests"] != 2 * count or counted["broken"]:
        raise Refused(f"not all of them answered again: {counted}")
    return {" each": (after - before) / count, " worker": worker / 2**20, " tree": before / 2**20}


def upstream_memory(lab: Lab, server: Server) -> Figures:
    """A 10 MiB answer from the app through the buffers: CPU per answer, and how much the worker grew at most."""
    request = lab.request("/")
    idle = max(memory(pid, "VmRSS") for pid in server.workers())
    for pid in server.workers():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM starts anew
    counted, cpu_s = measured(server, lambda: lab.client(server, request, "-c", 4, "-d", lab.seconds))
    peak = max(memory(pid, "VmHWM") for pid in server.workers())
    return {"": cpu_s / counted["requests"] * 1e3, " growth": max(0, peak - idle) / 2**20}


def throughput(lab: Lab, server: Server) -> Figures:
    request = lab.request("/")
    lab.client(server, request, "-c", 16, "-d", 0.5)
    return {"": lab.client(server, request, "-c", 16, "-d", lab.seconds)["requests"] / lab.seconds}


def beside_slow_clients(lab: Lab, server: Server) -> Figures:
    lab.file("1k", 1024)
    lab.file("100m", 100 << 20)
    argv = lab.client_argv(server, lab.request("/100m"), "-c", 200, "-w", 100_000, "-d", lab.seconds + 3)
    slow = Process(argv, LOAD_CORE, lab.folder, "slow")
    try:
        time.sleep(1)
        return {"": lab.client(server, lab.request("/1k"), "-c", 16, "-r", 1000, "-d", lab.seconds)["p99_us"]}
    finally:
        slow.close()


def many_locations(lab: Lab, server: Server) -> Figures:
    """Time to the first answer, time from HUP to an answer by a new worker, CPU per request in the last server."""
    start_ms = server.start_s * 1e3
    figures = cpu_per_request(lab, server, lab.request("/location49/x", host="server299.test"))
    old = server.answers("/pid").rsplit(b"\n", 1)[-1]
    begin = time.perf_counter()
    server.process.popen.send_signal(1)
    while (new := server.answers("/pid").rsplit(b"\n", 1)[-1]) == old or not new:
        if time.perf_counter() - begin > 30:
            raise Refused("no new worker answered 30 s after HUP")
        time.sleep(0.002)
    return {**figures, " start": start_ms, " reload": (time.perf_counter() - begin) * 1e3}


def server_block(number: int) -> str:
    locations = "\n".join(f"location /location{i} {{ return 200 {number}-{i}; }}" for i in range(50))
    return f"server {{ listen 127.0.0.1:@PORT@; server_name server{number}.test;\n{locations} }}"


def responder(protocol: str, address: str, size: int = 6) -> Callable[[Lab], AbstractContextManager[None]]:
    return lambda lab: lab.upstream(protocol, address.replace("@DIR@", str(lab.folder)), size)


def both(*makers: Callable[[Lab], AbstractContextManager[None]]) -> Callable[[Lab], AbstractContextManager[None]]:
    @contextmanager
    def make(lab: Lab) -> Iterator[None]:
        with ExitStack() as stack:
            for maker in makers:
                stack.enter_context(maker(lab))
            yield

    return make


@contextmanager
def real_uwsgi(lab: Lab) -> Iterator[None]:
    (lab.folder / "hello.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '6')])\n"
        "    return [b'hello\\n']\n"
    )
    command = Path(sys.executable).parent / "pyuwsgi"
    if not command.exists():
        raise Refused("pyuwsgi is not installed beside this Python")
    socket_path = lab.folder / "up.sock"
    socket_path.unlink(missing_ok=True)
    with ExitStack() as stack:
        process = Process([str(command), "--socket", str(socket_path), "--wsgi-file", "hello.py", "--master",
                           "--processes", "1", "--disable-logging", "--need-app", "--die-on-term", "--listen", "100"],
                          LOAD_CORE, lab.folder, "uwsgi")  # fmt: skip
        stack.callback(process.close)
        for _ in range(500):
            if socket_path.exists():
                break
            time.sleep(0.02)
        time.sleep(0.5)
        yield


@contextmanager
def redis(lab: Lab) -> Iterator[None]:
    """What nodes share their limits through."""
    command = shutil.which("redis-server")
    if command is None:
        raise Refused("redis-server is missing")
    name = lab.folder / "redis.sock"
    name.unlink(missing_ok=True)
    options = ("--port", "0", "--unixsocket", str(name), "--save", "", "--appendonly", "no")
    process = Process([command, *options], LOAD_CORE, lab.folder, "redis")
    try:
        for _ in range(500):
            if name.exists():
                break
            time.sleep(0.02)
        yield
    finally:
        process.close()


MICROSECONDS = "CPU µs/request"
# What looks on: the counts and times of a zone, which the API, `metrics` and the dashboard read, and the last requests.
WATCHED = "status_zone site; " + RETURN
# With a file: `return` answers before any limit is looked at.
LIMITED = "location / { limit_req zone=one burst=1000000 nodelay; }"
LIMIT = "limit_req_zone $binary_remote_addr zone=one:1m rate=100000000r/s"
WORKLOADS = [
    Workload("return", {"": Figure(MICROSECONDS, 1.05)}, plain("/"), RETURN, bursts=True),
    Workload("return-watched", {"": Figure(MICROSECONDS),
                                " beside return": Figure("times", 1.02, absolute=True, beside="return")},
             plain("/"), WATCHED, "request_history @DIR@/history;", bursts=True),
    Workload("limit-req", {"": Figure(MICROSECONDS, 1.05)}, static("1k", 1024), LIMITED, f"{LIMIT};", bursts=True),
    Workload("limit-req-sync", {"": Figure(MICROSECONDS),
                                " beside limit-req": Figure("times", 1.03, absolute=True, beside="limit-req")},
             static("1k", 1024), LIMITED, f"zone_sync_store unix://@DIR@/redis.sock; {LIMIT} sync;", upstream=redis,
             bursts=True),
    Workload("return-2000", {"": Figure(MICROSECONDS), " p99": Figure("µs")}, at_rate(2000), RETURN),
    Workload("static-1k", {"": Figure(MICROSECONDS, 1.0)}, static("1k", 1024), bursts=True),
    Workload("static-1k-log", {"": Figure(MICROSECONDS, 1.05)}, static("1k", 1024), log="access.log", bursts=True),
    Workload("static-1m", {"": Figure("CPU s/GiB", 1.1), " with client": Figure("CPU s/GiB", 1.1)},
             large("1m", 1 << 20, 4096, 8)),
    Workload("uwsgi-unix", {"": Figure(MICROSECONDS, 1.05)}, plain("/"), UNIX, temp=("uwsgi",),
             upstream=responder("uwsgi", "@DIR@/up.sock"), bursts=True),
    Workload("uwsgi-tcp", {"": Figure(MICROSECONDS, 1.05)}, plain("/"),
             UNIX.replace("unix:@DIR@/up.sock", f"127.0.0.1:{UPSTREAM_PORT}"), temp=("uwsgi",),
             upstream=responder("uwsgi", str(UPSTREAM_PORT)), bursts=True),
    Workload("uwsgi-post-64k", {"": Figure(MICROSECONDS, 1.1)}, plain("/", method="POST", body=b"x" * 65536), UNIX,
             temp=("uwsgi",), upstream=responder("uwsgi", "@DIR@/up.sock"), bursts=True),
    Workload("uwsgi-10m", {"": Figure("CPU ms/answer", 1.3), " growth": Figure("MiB", 6, absolute=True)},
             upstream_memory, UNIX, temp=("uwsgi",), upstream=responder("uwsgi", "@DIR@/up.sock", 10 << 20)),
    Workload("uwsgi-hello", {"": Figure("requests/s", 0.97, more_is_better=True)}, throughput, UNIX, temp=("uwsgi",),
             upstream=real_uwsgi),
    Workload("idle-10000",
             {" each": Figure("bytes PSS", 2048, absolute=True), " worker": Figure("MiB PSS"),
              " tree": Figure("MiB PSS", 2.5)},
             idle_connections, RETURN),
    Workload("proxy-keepalive", {"": Figure(MICROSECONDS, 1.15)}, plain("/"),
             'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }',
             f"upstream app {{ server 127.0.0.1:{UPSTREAM_PORT}; keepalive 64; }}", ("proxy",),
             upstream=responder("http", str(UPSTREAM_PORT)), bursts=True),
    Workload("cache-1k", {"": Figure(MICROSECONDS, 1.0)}, plain("/"),
             "location / { proxy_pass http://app; proxy_cache one; proxy_cache_valid 1h; }",
             f"upstream app {{ server 127.0.0.1:{UPSTREAM_PORT}; }} proxy_cache_path cache keys_zone=one:1m;",
             ("proxy",), upstream=responder("http", str(UPSTREAM_PORT), 1024), bursts=True),
    Workload("new-connection", {"": Figure(MICROSECONDS, 1.1)},
             plain("/", "-C", fields=("Connection: close",)), RETURN, bursts=True),
    Workload("tls-1k", {"": Figure(MICROSECONDS, 1.15)}, tls.requests("1k", 1024, 32), tls.SERVER,
             upstream=tls.certificate),
    Workload("tls-handshake", {"": Figure("CPU µs/connection", 1.05)}, tls.handshakes(), tls.SERVER,
             upstream=tls.certificate, bursts=True),
    Workload("tls-resume", {"": Figure("CPU µs/connection", 1.15)}, tls.handshakes("-r"), tls.SERVER,
             upstream=tls.certificate, bursts=True),
    Workload("tls-1m", {"": Figure("CPU s/GiB", 1.1)}, tls.requests("1m", 1 << 20, 8, per_gib=True), tls.SERVER,
             upstream=tls.certificate),
    Workload("site-static", {"": Figure(MICROSECONDS, 1.25)}, tls.requests("1k", 1024, 32), tutorial.STATIC,
             tutorial.HTTP, upstream=tls.certificate),
    Workload("site-uwsgi", {"": Figure(MICROSECONDS, 1.2)}, tls.requests("1k", 1024, 32),
             tutorial.serving(UWSGI_PARAMS + "\n uwsgi_pass unix:@DIR@/up.sock;"), tutorial.HTTP, ("uwsgi",),
             upstream=both(tls.certificate, responder("uwsgi", "@DIR@/up.sock"))),
    Workload("h2-1k", {"": Figure(MICROSECONDS, 1.5)}, http2.requests("1k", 1024), http2.SERVER),
    Workload("h2-tls-1k", {"": Figure(MICROSECONDS, 1.5)}, http2.over_tls("1k", 1024), http2.TLS,
             upstream=tls.certificate),
    Workload("h2-tls-uwsgi", {"": Figure(MICROSECONDS, 1.5)}, http2.over_tls("", 0), http2.TLS + " " + UNIX,
             temp=("uwsgi",), upstream=both(tls.certificate, responder("uwsgi", "@DIR@/up.sock"))),
    Workload("h3-1k", {"": Figure(MICROSECONDS)}, http3.requests("1k", 1024, 4, 10), http3.SERVER,
             upstream=tls.certificate),
    Workload("h3-handshake", {"": Figure("CPU µs/connection")}, http3.requests("1k", 1024, 4, 0), http3.SERVER,
             upstream=tls.certificate),
    Workload("h3-1m", {"": Figure("CPU s/GiB")}, http3.requests("1m", 1 << 20, 4, 1, per_gib=True), http3.SERVER,
             upstream=tls.certificate),
    Workload("grpc-unary", {"": Figure(MICROSECONDS, 1.6)}, http2.unary(20), http2.GRPC, http2.GRPC_UPSTREAM,
             upstream=responder("grpc", str(http2.GRPC_PORT), 20)),
    Workload("stream-exchange", {"": Figure(MICROSECONDS, 1.15)}, stream.through(plain("/")), RETURN,
             main=stream.block(UPSTREAM_PORT), upstream=responder("http", str(UPSTREAM_PORT))),
    Workload("stream-session", {"": Figure("CPU µs/session", 1.15)},
             stream.through(plain("/", "-C", fields=("Connection: close",))), RETURN,
             main=stream.block(UPSTREAM_PORT), upstream=responder("http", str(UPSTREAM_PORT))),
    Workload("stream-udp", {"": Figure("CPU µs/there and back", 1.15)}, stream.datagrams, RETURN,
             main=stream.block(UPSTREAM_PORT), upstream=stream.echo),
    Workload("busy-2000", {"": Figure(MICROSECONDS, 1.15)}, plain("/", "-c", 2000), RETURN),
    Workload("two-workers", {"": Figure(MICROSECONDS, 1.1)}, plain("/"), RETURN, workers=2, bursts=True),
    Workload("gzip-32k", {"": Figure(MICROSECONDS, 1.1)},
             static("32k.html", 32768, text="list", fields=("Accept-Encoding: gzip",)), "gzip on;",
             "types { text/html html; }", bursts=True),
    Workload("gzip-32k-prose", {"": Figure(MICROSECONDS, 0.55)},
             static("prose.html", 32768, text="prose", fields=("Accept-Encoding: gzip",)), "gzip on;",
             "types { text/html html; }", bursts=True),
    Workload("static-1g", {"": Figure("CPU s/GiB", 1.1), " with client": Figure("CPU s/GiB", 1.1)},
             large("1g", 1 << 30, 3, 1)),
    Workload("slow-clients", {"": Figure("p99 µs", 2.0)}, beside_slow_clients),
    Workload("300x50", {
        "": Figure(MICROSECONDS, 1.15), " / return": Figure("", absolute=True, beside="return"),
        " start": Figure("ms", 2.5), " reload": Figure("ms", 2.5),
    }, many_locations,
             "location = /pid { return 200 $pid; } " + RETURN,
             servers="\n".join(server_block(n) for n in range(300))),
]  # fmt: skip
