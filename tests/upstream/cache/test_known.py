from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway._fast.files import open_path
from gateway.upstream.cache import known
from tests.http_peers import Heard, answering
from tests.upstream.cache.caching import Time, cache_of, cached, files, in_turn, page, state


async def test_from_the_third_time_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []

    def noting(path: bytes, real: Callable[[bytes], object]) -> object:
        opened.append(path)
        return real(path)

    from gateway.upstream.cache import entry

    monkeypatch.setattr(entry, "open_path", lambda path: noting(path, open_path))
    async with cached(answering(page(b"X-A: 1", b"Accept-Ranges: bytes")), tmp_path) as engine:
        await engine.get("/")
        opened.clear()
        for _ in range(4):
            reply = await engine.get("/")
            assert (state(reply), reply.body, reply.header("x-a")) == ("HIT", b"SEE-THIS", b"1")
        assert len(opened) == 2 and len(cache_of(engine).known.answers) == 1
        assert (await engine.get("/", {"Range": "bytes=4-"})).body == b"THIS"
        assert (await engine.request("HEAD", "/")).header("content-length") == b"8"


def _replace(file: Path) -> None:
    beside = file.with_name("x")
    beside.write_bytes(file.read_bytes().replace(b"SEE-THIS", b"SEE-THAT"))
    beside.rename(file)


@pytest.mark.parametrize(
    ("change", "wanted", "body"),
    [
        (lambda file: file.unlink(), "MISS", b"NEW"),
        (_replace, "HIT", b"SEE-THAT"),
        (lambda file: os.utime(file, (1, 1)), "HIT", b"SEE-THIS"),
    ],
)
async def test_a_file_that_is_another_one(
    change: Callable[[Path], None], wanted: str, body: bytes, tmp_path: Path
) -> None:
    async with cached(answering(in_turn(page(), page(body=b"NEW"))), tmp_path) as engine:
        for _ in range(4):
            await engine.get("/")
        change(files(tmp_path)[0])
        reply = await engine.get("/")
        assert (state(reply), reply.body) == (wanted, body)


async def test_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    async with cached(answering(in_turn(page(), page(body=b"NEW"))), tmp_path) as engine:
        for _ in range(4):
            await engine.get("/")
        time.passes(61)
        assert state(await engine.get("/")) == "EXPIRED"


async def test_what_the_index_has_forgotten(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path) as engine:
        for _ in range(4):
            await engine.get("/")
        cache = cache_of(engine)
        cache.index.table.clear()
        assert state(await engine.get("/")) == "HIT", "the index is cold: files are looked for"
        cache.index.table.clear()
        cache.index.warm_up()
        assert state(await engine.get("/")) == "MISS"


@pytest.mark.parametrize("answer", [page(b"Vary: X-A"), page(b"X-Accel-Redirect: @named"), page(body=bytes(20_000))])
async def test_what_is_not_known(answer: bytes, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(answer, heard), tmp_path) as engine:
        for _ in range(4):
            await engine.get("/")
        assert not cache_of(engine).known.answers


async def test_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MOST", 2)
    monkeypatch.setattr(known, "_REMEMBERED", 2)
    async with cached(answering(page()), tmp_path, "proxy_cache_key $uri;") as engine:
        for uri in ("/a", "/b", "/c"):
            for _ in range(3):
                await engine.get(uri)
        assert list(cache_of(engine).known.answers) == [b"/b", b"/c"]
        for uri in ("/d", "/e", "/f"):
            for _ in range(2):
                await engine.get(uri)
        assert len(cache_of(engine).known._once) == 1
