"""What is measured of TLS: requests on kept connections, large answers, full handshakes and resumed ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from harness import LOAD_CORE, Lab, Refused, Server, fixed_port, measured

Figures = dict[str, float]

PORT = fixed_port()
SERVER = f"listen 127.0.0.1:{PORT} ssl; ssl_certificate @DIR@/tls.pem; ssl_certificate_key @DIR@/tls.key;"


@contextmanager
def certificate(lab: Lab) -> Iterator[None]:
    """One with a key on P-256, as most have it."""
    key, pem = lab.folder / "tls.key", lab.folder / "tls.pem"
    if not pem.exists():
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        named = ["-subj", "/CN=localhost", "-days", "30", "-keyout", str(key), "-out", str(pem)]
        subprocess.run([*new, *named], check=True, capture_output=True)
        key.chmod(0o644)
    yield


def run(*argv: Any, times: int = 1) -> list[str]:
    """What so many of them at once have said."""
    started = [
        subprocess.Popen(
            [str(word) for word in argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )
        for _ in range(times)
    ]
    return [one.communicate()[0] for one in started]


def requests(
    name: str, size: int, connections: int, *, kind: str = "--h1", per_gib: bool = False
) -> Callable[[Lab, Server], Figures]:
    """By h2load; `kind`: HTTP/1.1, or how many streams of HTTP/2 each connection has."""

    def load(seconds: float, count: int = 0) -> dict[str, Any]:
        url = f"https://127.0.0.1:{PORT}/{name}"
        much = ("-n", count) if count else ("-D", max(1, round(seconds)))
        (told,) = run("h2load", kind, f"-c{min(connections, count or connections)}", *much, url)
        found = re.search(r"(\d+) succeeded", told)
        if found is None or not int(found[1]):
            raise Refused("h2load: " + told[-200:])
        return {"requests": int(found[1])}

    def measure(lab: Lab, server: Server) -> Figures:
        lab.file(name, size)
        lab.by_others(load, 1)
        counted, cpu_s = measured(server, lambda: lab.by_others(load, lab.seconds))
        if per_gib:
            return {"": cpu_s / (counted["requests"] * size) * (1 << 30)}
        return {"": cpu_s / counted["requests"] * 1e6}

    return measure


def handshakes(*options: str) -> Callable[[Lab, Server], Figures]:
    """By handshakes.c, eight at a time: full ones, or with -r those by a ticket; each with one small request."""

    def measure(lab: Lab, server: Server) -> Figures:
        client = lab.program("handshakes", "-l:libssl.so.3", "-l:libcrypto.so.3")

        def load(seconds: float, count: int = 0) -> dict[str, Any]:
            # a fixed number of them one after the other: what is counted is then the same each time
            much = ("-c1", "-n", count) if count else ("-d", seconds)
            (told,) = run(client, PORT, "/1k", *much, *options)
            if not told:
                raise Refused(f"handshakes: it did not end ({' '.join(options)})")
            return cast(dict[str, Any], json.loads(told))

        lab.file("1k", 1024)
        lab.by_others(load, lab.warm_s)
        counted, cpu_s = measured(server, lambda: lab.by_others(load, lab.seconds))
        return {"": cpu_s / counted["requests"] * 1e6}

    return measure
