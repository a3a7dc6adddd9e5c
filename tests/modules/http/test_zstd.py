"""zstd: compressed answers, and files made beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    types { text/plain txt; }
    brotli on; brotli_types text/plain;
    zstd on; zstd_types text/plain; zstd_comp_level 3;
    location / { }
}
"""
TEXT = b"".join(b"line %d\n" % number for number in range(5000))


def unpacked(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


async def test_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    async with serving(CONF % tmp_path) as engine:
        reply = await engine.get("/a.txt", {"Accept-Encoding": "zstd"})
        assert (reply.header("content-encoding"), unpacked(reply.body)) == (b"zstd", TEXT)
        assert (await engine.get("/a.txt", {"Accept-Encoding": "zstd, br"})).header("content-encoding") == b"br"
        assert (await engine.get("/a.txt", {"Accept-Encoding": "gzip"})).body == TEXT


def test_refused() -> None:
    with pytest.raises(ConfigError, match="value must be between 1 and 22"):
        load_http("zstd_comp_level 23;")
