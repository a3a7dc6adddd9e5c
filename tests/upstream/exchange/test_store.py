from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import Peer, answer, farm
from tests.http_peers import OK, Heard, Hearing, answering, closing, proxied, talking
from tests.upstream.exchange.test_exchange import lines

DATED = OK.replace(b"Content", b"Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT\r\nContent", 1)
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\nok\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n"


def temporary(tmp_path: Path) -> list[str]:
    return [name for name in os.listdir(tmp_path) if name.isdigit()]


@pytest.mark.parametrize("data", [DATED, UNSIZED, CHUNKED])
async def test_an_answer_is_kept(data: bytes, tmp_path: Path) -> None:
    root = tmp_path / "root"
    inside = f"proxy_store on; root {root}; proxy_store_access user:rw group:rw all:r;"
    async with proxied(closing(data), tmp_path, inside) as engine:
        assert (await engine.get("/a/b/file?x")).body == b"ok\n"
    kept = root / "a/b/file"
    assert kept.read_bytes() == b"ok\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o664
    assert stat.S_IMODE(kept.parent.stat().st_mode) & 0o555 == 0o555
    if data is DATED:
        assert kept.stat().st_mtime == 23_349_600
    assert not temporary(tmp_path)


async def test_a_path_with_variables(tmp_path: Path) -> None:
    async with proxied(answering(), tmp_path, f"proxy_store {tmp_path}/kept$uri.$arg_a;") as engine:
        assert (await engine.get("/x?a=1")).body == b"ok\n"
        assert (await engine.get("/x?a=1")).body == b"ok\n"  # in the place of the first
    assert (tmp_path / "kept/x.1").read_bytes() == b"ok\n"
    assert stat.S_IMODE((tmp_path / "kept/x.1").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "data",
    [
        OK.replace(b"200 OK", b"404 No"),
        OK[:-1],
        OK.replace(b"OK\r\n", b"OK\r\nX-Accel-Buffering: no\r\n", 1),
        CHUNKED[:-5],
    ],
)
async def test_what_is_not_kept(data: bytes, tmp_path: Path) -> None:
    async with proxied(closing(data), tmp_path, f"proxy_store {tmp_path}/kept;") as engine:
        await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await engine.request("HEAD", "/")).body == b""
    assert not (tmp_path / "kept").exists()
    assert not temporary(tmp_path)


async def test_the_file_is_made_when_the_client_is_gone(tmp_path: Path) -> None:
    gone = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
        await gone.wait()
        await stream.send_all(b"y" * 100_000)

    inside = f"proxy_store {tmp_path}/kept; proxy_max_temp_file_size 0;"
    async with proxied(talking(talk), tmp_path, inside) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.receive_some(10)
        await client.aclose()
        gone.set()
        with trio.fail_after(5):
            while not (tmp_path / "kept").exists():
                await trio.sleep(0.01)
    assert (tmp_path / "kept").read_bytes() == b"x" * 100_000 + b"y" * 100_000
    assert not temporary(tmp_path)


async def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    async with proxied(closing(), tmp_path, f"proxy_store {tmp_path}/kept;") as engine:
        assert (await engine.get("/")).body == b"ok\n"
        (line,) = lines(engine, "crit")
        assert f'" to "{tmp_path}/kept" failed (21: Is a directory) while reading upstream' in line
    assert not temporary(tmp_path)


async def test_an_empty_answer(tmp_path: Path) -> None:
    peer = closing(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with proxied(peer, tmp_path, f"proxy_store {tmp_path}/kept;") as engine:
        assert (await engine.get("/")).status == 200
    assert (tmp_path / "kept").read_bytes() == b""


async def test_uwsgi_stores_as_well(tmp_path: Path) -> None:
    peer: Peer = answer(OK)
    async with farm(tmp_path) as peers:
        text = f"""uwsgi_temp_path {tmp_path}; server {{ listen 127.0.0.1:8080;
            location / {{ uwsgi_pass {await peers.tcp(peer)}; uwsgi_store {tmp_path}/kept; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"ok\n"
    assert (tmp_path / "kept").read_bytes() == b"ok\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('proxy_store "";', "empty path"),
        ("proxy_store on; proxy_store off;", '"proxy_store" directive is duplicate'),
        ("proxy_cache $arg_zone; proxy_store on;", '"proxy_store" directive is incompatible with "proxy_cache"'),
        ("proxy_store_access user:x;", 'invalid value "user:x"'),
        ("proxy_store_access other:r;", 'invalid value "other:r"'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http("server { listen 127.0.0.1:8080; location / { proxy_pass http://127.0.0.1:1; " + line + "} }")
    assert words in str(caught.value)
