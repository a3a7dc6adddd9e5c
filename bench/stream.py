"""What is measured of the stream block: exchanges on a kept session, whole sessions, datagrams there and back."""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import LOAD_CORE, Lab, Process, Refused, Server, fixed_port, measured
from tls import run

Figures = dict[str, float]

PORT, ECHO_PORT = fixed_port(), fixed_port()
SESSIONS = 32


def block(upstream_port: int) -> str:
    return (
        f"stream {{ server {{ listen 127.0.0.1:{PORT}; proxy_pass 127.0.0.1:{upstream_port}; }}"
        f" server {{ listen 127.0.0.1:{PORT} udp; proxy_pass 127.0.0.1:{ECHO_PORT}; }} }}"
    )


def through(measure: Callable[[Lab, Server], Figures]) -> Callable[[Lab, Server], Figures]:
    """The same, asked by way of the stream block."""

    def asked(lab: Lab, server: Server) -> Figures:
        server.port = PORT
        return measure(lab, server)

    return asked


@contextmanager
def echo(lab: Lab) -> Iterator[None]:
    process = Process([sys.executable, __file__, "echo", str(ECHO_PORT)], LOAD_CORE, lab.folder, "echo")
    try:
        yield
    finally:
        process.close()


def datagrams(lab: Lab, server: Server) -> Figures:
    """CPU µs for one datagram there and one back, in sessions that go on."""

    def load(seconds: float, count: int = 0) -> dict[str, Any]:
        (told,) = run(sys.executable, Path(__file__), "ask", PORT, 600 if count else seconds, count)
        counted: dict[str, Any] = json.loads(told or "{}")
        if not counted.get("requests"):
            raise Refused("no datagram came back")
        return counted

    lab.by_others(load, 0.5)
    counted, cpu_s = measured(server, lambda: lab.by_others(load, lab.seconds))
    return {"": cpu_s / counted["requests"] * 1e6}


def _echo(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", port))
        while True:
            data, peer = s.recvfrom(2048)
            s.sendto(data, peer)


def _ask(port: int, seconds: float, count: int) -> None:
    """Each socket sends its next datagram when the last one has come back."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SESSIONS)]
    for s in sockets:
        s.connect(("127.0.0.1", port))
        s.send(b"x" * 64)
    end, answers = time.monotonic() + seconds, 0
    while time.monotonic() < end and not 0 < count <= answers:
        ready = select.select(sockets, (), (), 1)[0]
        if not ready:
            break
        for s in ready:
            s.recv(2048)
            s.send(b"x" * 64)
            answers += 1
    print(json.dumps({"requests": answers}))


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        _echo(int(sys.argv[2]))
    else:
        _ask(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
