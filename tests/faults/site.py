"""A location in front of faulty peers, for each protocol."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.engine import Engine, serving
from tests.speeches import Speech

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"  # on a connection that may be kept: only a broken answer ends it
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def site(
    speech: Speech, addresses: list[str], folder: Path, inside: str = "", upstream: str = ""
) -> AsyncIterator[Engine]:
    """Serve a location that asks these peers; afterwards nothing of it is left, no temporary file either.

    In `inside` a word that begins with an underscore is a directive of the protocol: `_read_timeout 1s;`.
    """
    temp = folder / "temp"
    temp.mkdir(exist_ok=True)
    words = [f"{speech.name}{word}" if word.startswith("_") else word for word in inside.split()]
    if speech.name != "memcached":
        words.append(f"{speech.name}_temp_path {temp};")
    servers = "".join(f"server {address} max_fails=0;" for address in addresses)
    text = f"""
        upstream up {{ {servers} {upstream} }}
        server {{ listen 127.0.0.1:8080; location / {{ {speech.passing("up")} {" ".join(words)} }} }}
    """
    async with serving(text) as engine:
        yield engine
    assert not list(temp.iterdir())


def lines(engine: Engine, level: str = "error") -> list[str]:
    """The error log's lines of a level."""
    return [line for line in engine.log.lines if f"[{level}]" in line]
