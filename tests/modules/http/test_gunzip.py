"""gunzip: compressed answers for clients that do not take gzip."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.engine import serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    gzip_static always;
    gunzip on;
    gzip_vary on;
    location / { }
    location /off/ { alias %s/; gunzip off; }
    location /ssi/ { alias %s/; ssi on; ssi_types *; }
}
"""
TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


@pytest.fixture
def conf(tmp_path: Path) -> str:
    def pack(name: str, data: bytes) -> None:
        (tmp_path / f"{name}.gz").write_bytes(data)

    pack("a", gzip.compress(TEXT))
    pack("members", gzip.compress(b"one ") + gzip.compress(b"two"))
    pack("empty", gzip.compress(b""))
    pack("cut", gzip.compress(os.urandom(100_000))[:-50])
    pack("wrong", b"no gzip at all")
    pack("zeros", gzip.compress(bytes(20_000_000)))
    return CONF % ((tmp_path,) * 3)


async def test_unpacked(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/a")
        assert reply.body == TEXT
        assert reply.header("content-encoding") is None
        assert reply.header("content-length") is None
        assert reply.header("accept-ranges") is None
        assert (reply.header("etag") or b"").startswith(b'W/"')
        assert reply.header("vary") == b"Accept-Encoding"
        assert (await engine.get("/members")).body == b"one two"
        assert (await engine.get("/empty")).body == b""
        assert (await engine.get("/zeros")).body == bytes(20_000_000)
        head = await engine.request("HEAD", "/a")
        assert (head.status, head.header("content-encoding")) == (200, None)
        assert not [line for line in engine.log.lines if "[error]" in line]


async def test_left_alone(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/a", {"Accept-Encoding": "gzip"})
        assert gzip.decompress(reply.body) == TEXT
        assert reply.header("vary") == b"Accept-Encoding"
        assert gzip.decompress((await engine.get("/off/a")).body) == TEXT


@pytest.mark.parametrize(
    ("name", "message"), [("cut", "inflate() returned -5 on response end"), ("wrong", "inflate() failed: 4, -3")]
)
async def test_broken_streams_are_cut(conf: str, name: str, message: str) -> None:
    async with serving(conf) as engine:
        received = await engine.raw(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode())
        # without the chunk that ends it
        assert not received.endswith(b"0\r\n\r\n")
        assert [line for line in engine.log.lines if "[error]" in line and message in line]


async def test_other_filters_see_the_text(conf: str, tmp_path: Path) -> None:
    (tmp_path / "page.gz").write_bytes(gzip.compress(b'<!--#echo var="uri" -->'))
    async with serving(conf) as engine:
        assert (await engine.get("/ssi/page")).body == b"/ssi/page"
