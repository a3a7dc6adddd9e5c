"""CPU µs per request of the bare lane: a fixed answer, no parsing, by wrk; nginx's `return` in the same run.

    python bench/lane.py [--seconds 2] [--connections 32] [--rounds 3] [mode …]

The server runs on the first core, wrk on the second. Modes: callback (handler answers in place), fibre (a fibre per
request, no wait), park (… that waits once), connection (a fibre per connection), task (in_trio() per request),
trio (no lane: a Trio task per connection, what the lane replaces), nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import trio
from harness import LOAD_CORE, SERVER_CORE, cpu_ns, free_port, tree

from gateway.core.lane import Lane, Stream, current_fibre, in_trio, park

ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
NGINX = """
daemon off; master_process off; worker_processes 1; error_log stderr; pid nginx.pid;
events {{ }}
http {{ access_log off; keepalive_requests 100000000; server {{ listen 127.0.0.1:{port}; return 200 "ok\\n"; }} }}
"""


class Connection:
    """Answers whatever comes, as one request per read."""

    def __init__(self, lane: Lane, fd: int, mode: str) -> None:
        self.lane = lane
        self.stream = stream = Stream(lane, fd)
        if mode == "connection":
            lane.spawn(self.serve())
            return
        stream.handler = {
            "callback": self.read,
            "fibre": lambda: self.take(self.answer),
            "park": lambda: self.take(self.answer_later),
            "task": lambda: self.take(self.answer_in_task),
        }[mode]
        stream.handler()

    def recv(self) -> bytes | None:
        try:
            return self.stream.recv()
        except OSError:
            return b""

    def read(self) -> None:
        data = self.recv()
        if data:
            self.stream.send(ANSWER)
        elif data == b"":
            self.stream.close()

    def take(self, answer: Callable[[], object]) -> None:
        data = self.recv()
        if data:
            self.lane.spawn(answer())
        elif data == b"":
            self.stream.close()

    async def answer(self) -> None:
        self.stream.send(ANSWER)

    async def answer_later(self) -> None:
        self.lane.call_later(0, current_fibre().wake)
        await park()
        self.stream.send(ANSWER)

    async def answer_in_task(self) -> None:
        await in_trio()
        self.stream.send(ANSWER)

    async def serve(self) -> None:
        stream = self.stream
        while await stream.wait_readable():
            data = self.recv()
            if data:
                stream.send(ANSWER)
            elif data == b"":
                break
        stream.close()


async def serve_tasks(listening: trio.socket.SocketType) -> None:
    async def connection(sock: trio.socket.SocketType) -> None:
        with sock, contextlib.suppress(OSError):
            while await sock.recv(65536):
                await sock.send(ANSWER)

    async with trio.open_nursery() as nursery:
        while True:
            sock, _ = await listening.accept()
            nursery.start_soon(connection, sock)


def serve(listening: socket.socket, mode: str) -> None:
    if mode == "trio":
        trio.run(serve_tasks, trio.socket.from_stdlib_socket(listening))
    lane = Lane()
    lane.listen(listening.fileno(), lambda fd, peer: Connection(lane, fd, mode))
    trio.run(lane.run)


def start(mode: str, folder: Path) -> tuple[int, int]:
    """The server's pid and port."""
    if mode == "nginx":
        port = free_port()
        (folder / "nginx.conf").write_text(NGINX.format(port=port))
        pid = os.spawnvp(os.P_NOWAIT, "nginx", ["nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"])
        time.sleep(0.3)
    else:
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listening.setblocking(False)
        port = listening.getsockname()[1]
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {SERVER_CORE})
            try:
                serve(listening, mode)
            finally:
                os._exit(1)
        listening.close()
    os.sched_setaffinity(pid, {SERVER_CORE})
    return pid, port


def measure(mode: str, connections: int, seconds: float, folder: Path) -> tuple[float, float]:
    """CPU µs per request, and requests a second."""
    pid, port = start(mode, folder)
    try:
        load = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}"]
        subprocess.run([*load, "-d1", f"http://127.0.0.1:{port}/"], check=True, capture_output=True)
        before = cpu_ns(tree(pid))
        out = subprocess.run([*load, f"-d{seconds:g}", f"http://127.0.0.1:{port}/"], check=True, capture_output=True)
        spent = cpu_ns(tree(pid)) - before
        requests = int(re.search(rb"(\d+) requests in", out.stdout)[1])  # type: ignore[index]
        return spent / requests / 1000, requests / seconds
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    every = ["callback", "fibre", "park", "connection", "task", "trio", "nginx"]
    parser.add_argument("modes", nargs="*", default=every)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in options.modes}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.rounds):
            for mode in options.modes:
                found[mode].append(measure(mode, options.connections, options.seconds, Path(name)))
    for mode, rows in found.items():
        each = " ".join(f"{cpu:.2f}" for cpu, _ in rows)
        median = statistics.median(cpu for cpu, _ in rows)
        rate = statistics.median(rate for _, rate in rows)
        print(f"{mode:12} {median:6.2f} µs CPU a request ({each})  {rate:8.0f}/s")


if __name__ == "__main__":
    main()
