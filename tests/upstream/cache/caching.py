"""A server with a cache before one peer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.upstream.cache import clock
from gateway.upstream.cache.file_cache import FileCache
from tests.engine import Engine, Reply, serving
from tests.fakes import Peer, farm
from tests.http_peers import Heard

BODY = b"SEE-THIS"


def page(*fields: bytes, body: bytes = BODY, status: bytes = b"200 OK") -> bytes:
    """An answer with these header lines."""
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body)


def in_turn(*answers: bytes) -> Callable[[Heard], bytes]:
    """One answer after the other, the last one for ever."""
    left = list(answers)

    def answer(heard: Heard) -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


@asynccontextmanager
async def cached(
    peer: Peer | str, tmp_path: Path, inside: str = "", path: str = "", outside: str = ""
) -> AsyncIterator[Engine]:
    """`inside` stands in the location, `path` behind proxy_cache_path; X-Cache is $upstream_cache_status."""
    folder = tmp_path / "cache"
    folder.mkdir(exist_ok=True)
    async with farm(tmp_path) as peers:
        address = peer if isinstance(peer, str) else await peers.tcp(peer)
        text = f"""
            proxy_temp_path {tmp_path}; client_body_temp_path {tmp_path};
            proxy_cache_path {folder} levels=1:2 keys_zone=one:1m {path};
            server {{ listen 127.0.0.1:8080; server_name localhost; {outside}
                location / {{ proxy_pass http://{address}; proxy_cache one; proxy_cache_valid 200 1m;
                    add_header X-Cache $upstream_cache_status always; {inside} }}
                location @named {{ return 200 named; }}
            }}"""
        async with serving(text) as engine:
            yield engine


def cache_of(engine: Engine) -> FileCache:
    """The one cache of this server."""
    location = engine.cycle.servers[0].locations.find(None, b"/")  # type: ignore[arg-type]
    assert location is not None
    conf = next(conf for module, conf in location.confs.items() if module.name == "proxy")
    return conf.cache.zone.data  # type: ignore[no-any-return]


def state(reply: Reply) -> str:
    return (reply.header("x-cache") or b"-").decode()


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


class Time:
    """The clock of files, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = clock.now()
        monkeypatch.setattr(clock, "now", lambda: self.at)

    def passes(self, seconds: int) -> None:
        self.at += seconds
