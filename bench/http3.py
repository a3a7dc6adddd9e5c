"""What is measured of HTTP/3: small answers on kept connections, handshakes, large answers; by aioquic's client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from harness import HERE, LOAD_CORE, Lab, Refused, Server, fixed_port, measured

Figures = dict[str, float]

PORT = fixed_port()
SERVER = (
    f"listen 127.0.0.1:{PORT} quic; http3_max_concurrent_streams 256; "
    "ssl_certificate @DIR@/tls.pem; ssl_certificate_key @DIR@/tls.key;"
)


def requests(
    name: str, size: int, connections: int, streams: int, *, per_gib: bool = False
) -> Callable[[Lab, Server], Figures]:
    """`streams` 0: a connection for each request."""

    def load(seconds: float, count: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, HERE / "h3_load.py", str(PORT), f"/{name}", str(seconds), str(connections), str(streams)],
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )
        if done.returncode:
            raise Refused("h3_load: " + (done.stderr.strip() or str(done.returncode))[-300:])
        counted: dict[str, Any] = json.loads(done.stdout)
        return counted

    def measure(lab: Lab, server: Server) -> Figures:
        lab.file(name, size)
        lab.by_others(load, 1)
        counted, cpu_s = measured(server, lambda: lab.by_others(load, lab.seconds))
        if per_gib:
            return {"": cpu_s / (counted["requests"] * size) * (1 << 30)}
        return {"": cpu_s / counted["requests"] * 1e6}

    return measure
