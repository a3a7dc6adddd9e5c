"""brotli: compressed answers, and files made beforehand."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import brotli
import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    types { text/plain txt; text/css css; }
    gzip on; gzip_types text/plain; gzip_vary on;
    brotli on; brotli_types text/plain; brotli_comp_level 4; brotli_window 16k;
    add_header X-Ratio $brotli_ratio;
    location / { }
    location /off/ { alias %s/; brotli off; }
    location /static/ { alias %s/; brotli off; brotli_static on; gzip_static on; }
    location /always/ { alias %s/; brotli_static always; }
}
"""
TEXT = b"".join(b"line %d\n" % number for number in range(5000))
BOTH = {"Accept-Encoding": "gzip, deflate, br"}


def made(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "small.txt").write_bytes(b"short")
    (tmp_path / "a.css").write_bytes(TEXT)
    (tmp_path / "s.txt").write_bytes(b"plain")
    (tmp_path / "s.txt.br").write_bytes(brotli.compress(b"packed by brotli"))
    (tmp_path / "s.txt.gz").write_bytes(gzip.compress(b"packed by gzip"))
    return CONF % ((tmp_path,) * 4)


@pytest.fixture
def conf(tmp_path: Path) -> str:
    return made(tmp_path)


async def test_compressed(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/a.txt", BOTH)
        assert reply.header("content-encoding") == b"br"
        assert brotli.decompress(reply.body) == TEXT
        assert reply.header("content-length") is None
        assert reply.header("vary") == b"Accept-Encoding"
        assert (reply.header("etag") or b"").startswith(b"W/")
        for field in ("gzip", "gzip, br;q=0", "gzip, brx"):
            assert (await engine.get("/a.txt", {"Accept-Encoding": field})).header("content-encoding") == b"gzip"
        assert (await engine.get("/off/a.txt", BOTH)).header("content-encoding") == b"gzip"
        for target in ("/small.txt", "/a.css"):
            assert (await engine.get(target, BOTH)).header("content-encoding") is None, target
        assert (await engine.get("/a.txt")).body == TEXT


async def test_other_filters_see_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one two " * 50)
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; types {{ text/plain txt; }}
        brotli on; brotli_types text/plain; sub_filter two 2; sub_filter_types text/plain; sub_filter_once off; }}"""
    async with serving(text) as engine:
        assert brotli.decompress((await engine.get("/a.txt", BOTH)).body) == b"one 2 " * 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brotli_comp_level 12;", "value must be between 0 and 11"),
        ("brotli_window 3k;", '"brotli_window" directive must be 1k, 2k'),
        ("brotli_static maybe;", 'invalid value "maybe"'),
        ("brotli on; brotli off;", '"brotli" directive is duplicate'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(ConfigError, match=r"needs the package brotli: pip install 'gateway\[brotli\]'"):
        load_http("brotli on;")
    load_http("brotli off; brotli_static on;")
