"""What is measured of HTTP/2: 16 connections with 10 streams each, by h2load; cleartext, TLS, to uwsgi, to gRPC."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tls
from harness import Lab, Refused, Server, fixed_port, measured

Figures = dict[str, float]

CONNECTIONS = 16
STREAMS = "-m10"
SERVER = "http2 on;"
TLS = f"http2 on; {tls.SERVER}"
GRPC_PORT = fixed_port()
GRPC = "http2 on; location / { grpc_pass grpc://rpc; }"
GRPC_UPSTREAM = f"upstream rpc {{ server 127.0.0.1:{GRPC_PORT}; keepalive 200; }}"


def requests(name: str, size: int) -> Callable[[Lab, Server], Figures]:
    def measure(lab: Lab, server: Server) -> Figures:
        lab.file(name, size)
        return _cpu(lab, server, name)

    return measure


def over_tls(name: str, size: int) -> Callable[[Lab, Server], Figures]:
    return tls.requests(name, size, CONNECTIONS, kind=STREAMS)


def unary(size: int) -> Callable[[Lab, Server], Figures]:
    """Calls with a message of so many bytes, over connections that are kept."""

    def measure(lab: Lab, server: Server) -> Figures:
        message = lab.folder / "message"
        message.write_bytes(b"\0" + size.to_bytes(4, "big") + b"m" * size)
        fields = ("-Hcontent-type: application/grpc", "-Hte: trailers")
        return _cpu(lab, server, "bench.Echo/Unary", "-d", message, *fields)

    return measure


def _cpu(lab: Lab, server: Server, path: str, *options: object) -> Figures:
    def load(seconds: float, count: int = 0) -> dict[str, Any]:
        much = ("-n", count) if count else ("-D", max(1, round(seconds)))
        url = f"http://127.0.0.1:{server.port}/{path}"
        (told,) = tls.run("h2load", f"-c{CONNECTIONS}", STREAMS, *much, *options, url)
        answers = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", told)
        broken = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", told)
        if answers is None or not int(answers[1]) or broken is None or any(map(int, broken.groups())):
            raise Refused("h2load: " + told[-300:])
        return {"requests": int(answers[1])}

    lab.by_others(load, 1)
    counted, cpu_s = measured(server, lambda: lab.by_others(load, lab.seconds))
    return {"": cpu_s / counted["requests"] * 1e6}
