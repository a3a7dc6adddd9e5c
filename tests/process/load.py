"""Constant load from a few threads, which counts what failed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator

from tests.process.running import read_answer


class Load:
    """What came back; `failures` has one text for each request without its answer."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.stop = threading.Event()


@contextlib.contextmanager
def load(address: tuple[str, int] | str, threads: int = 3) -> Iterator[Load]:
    """Requests one after the other on connections of their own, until the block ends."""
    result = Load()

    def work() -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        while not result.stop.wait(0.003):
            try:
                with socket.socket(family) as connection:
                    connection.settimeout(10)
                    connection.connect(address)
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    result.answers[read_answer(connection)] += 1
            except OSError as error:
                result.failures.append(repr(error))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield result
    finally:
        result.stop.set()
        for worker in workers:
            worker.join()
