"""gzip: when it compresses, and that it composes with length, ranges and validators."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gateway.http.accept_encoding import accepts_gzip
from tests.engine import serving


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        (b"gzip", True),
        (b"deflate, GZIP;q=0.5", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"gzipx", False),
        (b"*", False),  # nginx wants it by its name
        (b"gzip;q=1.001", False),
        (b"gzip; x=1", False),
        (b"deflate gzip", True),
        (b"xgzip, gzip ;q=1.0", True),
        (b"", False),
    ],
)
def test_accept_encoding(field: bytes, accepted: bool) -> None:
    assert accepts_gzip(field) is accepted


async def test_compresses_and_weakens_the_etag(tmp_path: Path) -> None:
    body = b"<p>hello</p>" * 20_000
    (tmp_path / "t.html").write_bytes(body)
    (tmp_path / "s.html").write_bytes(b"short")
    text = f"server {{ listen 127.0.0.1:80; root {tmp_path}; gzip on; gzip_vary on; }}"
    async with serving(text) as engine:
        reply = await engine.get("/t.html", {"Accept-Encoding": "gzip"})
        assert reply.header("content-encoding") == b"gzip"
        assert gzip.decompress(reply.body) == body and len(reply.body) < len(body) // 10
        assert (reply.header("etag") or b"").startswith(b"W/")
        assert reply.header("content-length") is None and reply.header("accept-ranges") is None
        assert reply.header("vary") == b"Accept-Encoding"
        assert (await engine.get("/t.html")).body == body
        assert (await engine.get("/s.html", {"Accept-Encoding": "gzip"})).header("content-encoding") is None
        via = {"Accept-Encoding": "gzip", "Via": "1.1 x"}
        assert (await engine.get("/t.html", via)).header("content-encoding") is None
