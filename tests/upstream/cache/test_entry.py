from __future__ import annotations

from pathlib import Path

import pytest

from gateway.upstream.cache.file_head import SIZE, VERSION
from tests.http_peers import answering
from tests.upstream.cache.caching import Time, cached, files, in_turn, page, state
from tests.upstream.exchange.test_exchange import lines


@pytest.mark.parametrize(
    ("level", "words", "spoil"),
    [
        ("crit", "is too small", lambda data: data[: SIZE // 2]),
        ("info", "version mismatch", lambda data: b"nothing!" + data[8:]),
        ("crit", "has md5 collision", lambda data: data[:8] + b"\0\0\0\0" + data[12:]),
        ("crit", "has md5 collision", lambda data: data.replace(b"KEY: http", b"KEY: HTTP")),
        ("crit", "has too long header", lambda data: data[:16] + b"\xff\xff\0\0" + data[20:]),
        ("crit", "contains invalid header", lambda data: data.replace(b"HTTP/1.1 200", b"HTTP/1.1 2x0")),
        ("crit", "contains invalid header", lambda data: data.replace(b"\r\n\r\n", b"\r\nA: ")),
    ],
)
async def test_a_spoilt_file_is_a_miss(level: str, words: str, spoil: object, tmp_path: Path) -> None:
    assert callable(spoil)
    async with cached(answering(in_turn(page(), page(body=b"NEW"))), tmp_path) as engine:
        await engine.get("/")
        (file,) = files(tmp_path)
        file.write_bytes(spoil(file.read_bytes()))
        reply = await engine.get("/")
        assert (state(reply), reply.body) == ("MISS", b"NEW")
        assert f'cache file "{file}" {words}' in lines(engine, level)[0]
        assert state(await engine.get("/")) == "HIT"


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path) as engine:
        await engine.get("/")
        files(tmp_path)[0].unlink()
        assert [state(await engine.get("/")) for _ in range(2)] == ["MISS", "HIT"]


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path) as engine:
        await engine.get("/")
        (file,) = files(tmp_path)
        file.unlink()
        file.symlink_to(file.name)  # a loop
        assert (await engine.get("/")).status == 500
        assert f'open() "{file}" failed (40: ' in lines(engine, "crit")[0]


async def test_files_of_an_earlier_run_are_found(tmp_path: Path) -> None:
    peer = answering(page())
    async with cached(peer, tmp_path, "proxy_cache_key $uri;") as engine:
        await engine.get("/")
    async with cached(peer, tmp_path, "proxy_cache_key $uri;") as engine:
        assert [state(await engine.get("/")) for _ in range(2)] == ["HIT", "HIT"]
    async with cached(peer, tmp_path, "proxy_cache_key $uri; proxy_cache_min_uses 3;") as engine:
        assert state(await engine.get("/")) == "HIT"
        assert state(await engine.get("/x")) == "MISS"


async def test_an_answer_that_cannot_take_its_place(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path) as engine:
        await engine.get("/")
        (file,) = files(tmp_path)
        file.unlink()
        file.mkdir()
        assert (await engine.get("/")).status == 200
        assert "rename()" in lines(engine, "crit")[-1] and "Is a directory" in lines(engine, "crit")[-1]


async def test_a_variant_changes_its_vary(tmp_path: Path) -> None:
    """An answer without the Vary by which its file was looked for takes the main key again."""
    peer = answering(in_turn(page(b"Vary: X-A", body=b"1"), page(b"Vary: X-A", body=b"2"), page(body=b"3")))
    async with cached(peer, tmp_path, "proxy_cache_bypass $http_x_by;") as engine:
        for value in ("1", "2"):
            assert (await engine.get("/", {"X-A": value})).body == value.encode()
        assert (await engine.get("/", {"X-A": "3"})).body == b"3"
        assert [(await engine.get("/", {"X-A": value})).body for value in ("4", "1")] == [b"3", b"3"]


async def test_the_head_of_a_file_that_changed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch)
    fields = b"Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT"

    def make(heard: object) -> bytes:
        if found := files(tmp_path):
            found[0].write_bytes(found[0].read_bytes() + b"x")
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return page(fields)

    async with cached(answering(make), tmp_path, "proxy_cache_revalidate on;") as engine:
        await engine.get("/")
        before = files(tmp_path)[0].read_bytes()
        time.passes(61)
        assert state(await engine.get("/")) == "REVALIDATED"
        assert files(tmp_path)[0].read_bytes() == before + b"x"
        assert before.startswith(VERSION)
