"""gzip_static: files compressed beforehand."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    types { text/plain txt; }
    location / { gzip_static on; }
    location /always/ { alias %s/; gzip_static always; }
    location /vary/ { alias %s/; gzip_static on; gzip_vary on; }
    location /charset/ { alias %s/; gzip_static on; charset utf-8; charset_types text/plain; }
}
"""
TAKES = {"Accept-Encoding": "gzip"}


@pytest.fixture
def conf(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text("plain")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "only.txt.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "b.txt").write_text("plain")
    (tmp_path / "folder.txt.gz").mkdir()
    (tmp_path / "folder.txt").write_text("plain")
    return CONF % ((tmp_path,) * 4)


async def test_who_takes_it_gets_it(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/a.txt", TAKES)
        assert reply.status == 200
        assert gzip.decompress(reply.body) == b"packed"
        assert reply.header("content-type") == b"text/plain"
        names = [name for name, _ in reply.headers]
        assert names[-3:] == [b"etag", b"content-encoding", b"accept-ranges"]
        assert (await engine.get("/a.txt")).body == b"plain"
        assert (await engine.get("/b.txt", TAKES)).body == b"plain"
        assert (await engine.get("/folder.txt", TAKES)).body == b"plain"
        assert (await engine.get("/only.txt")).status == 404
        assert (await engine.request("POST", "/a.txt", TAKES, body=b"a")).status == 405
        part = await engine.get("/a.txt", {**TAKES, "Range": "bytes=0-1"})
        assert (part.status, part.body) == (206, b"\x1f\x8b")


async def test_always(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/always/only.txt")
        assert gzip.decompress(reply.body) == b"packed"
        assert reply.header("vary") is None


async def test_vary(conf: str) -> None:
    async with serving(conf) as engine:
        for headers in ({}, TAKES):
            assert (await engine.get("/vary/a.txt", headers)).header("vary") == b"Accept-Encoding"
            assert (await engine.get("/vary/b.txt", headers)).header("vary") is None
            assert (await engine.get("/a.txt", headers)).header("vary") is None


async def test_charset(conf: str) -> None:
    async with serving(conf) as engine:
        assert (await engine.get("/charset/a.txt", TAKES)).header("content-type") == b"text/plain; charset=utf-8"


def test_refused() -> None:
    with pytest.raises(ConfigError, match='invalid value "maybe"'):
        load_http("gzip_static maybe;")
