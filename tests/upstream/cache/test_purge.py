from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.upstream.cache import file_head
from gateway.upstream.cache.purge import purge_all, purge_before
from tests.engine import Engine, load_http
from tests.http_peers import answering
from tests.lanes import until
from tests.upstream.cache.caching import cache_of, cached, files, page, state

PURGE = "proxy_cache_purge $http_x_purge;"
ASK = {"X-Purge": "1"}


async def states(engine: Engine, *paths: str) -> list[str]:
    return [state(await engine.get(path)) for path in paths]


async def test_one_key(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path, PURGE) as engine:
        assert await states(engine, "/a", "/a", "/b", "/b") == ["MISS", "HIT", "MISS", "HIT"]
        size = cache_of(engine).index.size
        for method in ("PURGE", "GET"):
            assert (await engine.request(method, "/a", ASK)).status == (204 if method == "PURGE" else 404)
        assert cache_of(engine).index.size == size // 2 and len(files(tmp_path)) == 1
        assert await states(engine, "/a", "/a", "/b") == ["MISS", "HIT", "HIT"]
        assert (await engine.request("PURGE", "/none", ASK)).status == 404
        assert (await engine.request("PURGE", "/a", {"X-Purge": "0"})).status == 200  # is passed on


async def test_all_that_begin_so(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path, PURGE) as engine:
        paths = ["/x/a", "/x/b", "/x", "/y"]
        assert await states(engine, *paths) == ["MISS"] * 4
        assert (await engine.request("PURGE", "/x/*", ASK)).status == 204
        await until(lambda: len(files(tmp_path)) == 2)
        assert await states(engine, *paths) == ["MISS", "MISS", "HIT", "HIT"]


async def test_variants(tmp_path: Path) -> None:
    async with cached(answering(page(b"Vary: X-V")), tmp_path, PURGE) as engine:
        for value in "ab":
            assert state(await engine.get("/", {"X-V": value})) == "MISS"
        assert len(files(tmp_path)) == 2
        assert (await engine.request("PURGE", "/", {**ASK, "X-V": "a"})).status == 204
        await until(lambda: not files(tmp_path))
        for value in "ab":
            assert state(await engine.get("/", {"X-V": value})) == "MISS"


async def test_files_that_are_none(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path, PURGE) as engine:
        assert await states(engine, "/a") == ["MISS"]
        (one,) = files(tmp_path)
        (one.parent / "short").write_bytes(b"x")
        (one.parent / "other").write_bytes(one.read_bytes())
        assert purge_all(cache_of(engine), lambda key: True) == 1
        assert {path.name for path in files(tmp_path)} == {"short", "other"}


def test_the_purger_has_nothing_to_do() -> None:
    load_http("proxy_cache_path /c keys_zone=k:1m purger=on purger_files=10 purger_sleep=50ms purger_threshold=1s;")
    with pytest.raises(ConfigError, match='invalid purger value "purger=maybe"'):
        load_http("proxy_cache_path /c keys_zone=k:1m purger=maybe;")


async def test_what_another_node_has_purged(tmp_path: Path) -> None:
    """An answer that was stored since then stays."""
    async with cached(answering(page()), tmp_path, PURGE) as engine:
        paths = ["/x/a", "/x/b", "/y"]
        assert await states(engine, *paths) == ["MISS"] * 3
        cache = cache_of(engine)
        keys = {key_of(file.read_bytes()[:4096]) for file in files(tmp_path)}
        (one,) = (key for key in keys if key.endswith(b"/x/a"))
        for text in (one, one[:-1] + b"*"):
            purge_before(cache, text, time.time() - 60)
        assert len(files(tmp_path)) == 3
        purge_before(cache, one, time.time() + 1)
        assert await states(engine, *paths) == ["MISS", "HIT", "HIT"]
        purge_before(cache, one[:-1] + b"*", time.time() + 1)
        assert await states(engine, *paths) == ["MISS", "MISS", "HIT"]
        purge_before(cache, b"none", time.time())


def key_of(data: bytes) -> bytes:
    return file_head.key_of(data, file_head.unpack(data).start)
