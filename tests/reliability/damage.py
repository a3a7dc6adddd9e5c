"""Files of a cache that were damaged while nobody looked: the answer is the right one, from the upstream if need be."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.process.running import until
from tests.reliability.backend import backend
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import serving

cases = Cases("damage")

CONF = """
    proxy_cache_path @HOME@/cache keys_zone=k:1m;
    server {
        listen 127.0.0.1:@0@;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location / { proxy_pass http://127.0.0.1:%d; proxy_cache k; proxy_cache_valid 200 1h; }
    }
"""


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(8):
        changed[chance.randrange(min(400, len(data)))] = chance.randrange(256)
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "emptied": lambda data, chance: b"",
    "cut": _cut,
    "noise": lambda data, chance: chance.randbytes(len(data)),
    "zeros": lambda data, chance: bytes(len(data)),
    "another one's": lambda data, chance: data.replace(b"KEY: ", b"KEY: x", 1),
    "bytes of its head changed": _bytes_changed,
}


@cases
def files_of_a_cache(name: str, folder: Path, much: float) -> Iterator[Figure]:
    chance = random.Random(7)
    count = int(between(much, 6, 60))
    with backend() as upstream, serving(name, folder, CONF % upstream.port) as server:
        server.allowed.append(r"cache file .* (too small|has |contains)")
        wrong: dict[str, int] = {}
        until(lambda: server.get("/bytes/10")[0] == 200, "the upstream", 60)
        for what, damage in DAMAGES.items():
            wrong[what] = 0
            sizes = [2000 + number for number in range(count)]
            for size in sizes:
                server.get(f"/bytes/{size}")
            for file in _files(server.folder / "cache"):
                data = file.read_bytes()
                if data:
                    file.write_bytes(damage(data, chance))
            for size in sizes:
                status, body = server.get(f"/bytes/{size}")
                # A cut body cannot be told from a whole one before it is sent; its client sees the connection end.
                whole = len(body) == size
                if not (status == 200 and (whole or what in ("cut", "bytes of its head changed"))) and status != 0:
                    wrong[what] += 1
            for file in _files(server.folder / "cache"):
                file.unlink()
        for what, number in wrong.items():
            yield Figure(f"{what}: wrong answers", number, most=0)
        yield Figure("an answer at the end", server.get("/small")[0], least=200, most=200)


def _files(folder: Path) -> list[Path]:
    return [Path(at) / file for at, _, files in os.walk(folder) for file in files]
