from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway.core.temp_files import TempPath
from tests.engine import serving
from tests.fakes import answer, farm
from tests.http_peers import answering, closing
from tests.upstream.cache.caching import BODY, cached, files, page, state
from tests.upstream.exchange.test_exchange import lines

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nSEE-\r\n4\r\nTHIS\r\n0\r\n\r\n"
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\nSEE-THIS"


@pytest.mark.parametrize("data", [CHUNKED, UNSIZED])
async def test_an_answer_of_unknown_length(data: bytes, tmp_path: Path) -> None:
    async with cached(closing(data), tmp_path) as engine:
        for wanted in ("MISS", "HIT"):
            reply = await engine.get("/")
            assert (reply.body, state(reply)) == (BODY, wanted)


async def test_half_an_answer_is_not_kept(tmp_path: Path) -> None:
    async with cached(closing(CHUNKED[:-5]), tmp_path) as engine:
        for _ in range(2):
            assert b"MISS" in await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


async def test_an_answer_without_a_head(tmp_path: Path) -> None:
    async with cached(closing(b"just this"), tmp_path, "proxy_cache_valid any 1m;") as engine:
        for _ in range(2):
            assert await engine.raw(b"GET / HTTP/1.0\r\n\r\n") == b"just this"
    assert len(files(tmp_path)) == 1


async def test_in_the_folder_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """use_temp_path=off: the temporary file lies beside the place of the file."""
    seen: list[bytes] = []
    rename = os.rename

    def noting(source: bytes, target: bytes) -> None:
        seen.append(source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", noting)
    async with cached(answering(page()), tmp_path, path="use_temp_path=off") as engine:
        await engine.get("/")
        assert state(await engine.get("/")) == "HIT"
    (source,) = seen
    assert source.rpartition(b".")[0] == bytes(files(tmp_path)[0]) and len(source.rpartition(b".")[2]) == 10


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(self: TempPath, name: bytes) -> bytes:
        return b"/nowhere/" + name

    async with cached(answering(page()), tmp_path) as engine:
        monkeypatch.setattr(TempPath, "hashed", no_room)
        assert b"SEE-THIS" not in await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
        assert f"failed ({errno.ENOENT}: " in lines(engine, "crit")[0]


@pytest.mark.parametrize(("body", "wanted"), [(b"SEE-THIS", "HIT"), (b"", "MISS"), (b"SEE-THIS-NOT", "MISS")])
async def test_an_answer_to_head(body: bytes, wanted: str, tmp_path: Path) -> None:
    """uwsgi has no HEAD without a body: what an application sends is kept if it is as long as it says."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data + body))
        text = f"""uwsgi_temp_path {tmp_path}; uwsgi_cache_path {tmp_path} keys_zone=a:1m;
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass {address}; uwsgi_cache a; uwsgi_cache_key k;
            uwsgi_cache_valid 1m; add_header X-Cache $upstream_cache_status; }} }}"""
        async with serving(text) as engine:
            assert (await engine.request("HEAD", "/")).status == 200
            assert state(await engine.request("HEAD", "/")) == wanted
