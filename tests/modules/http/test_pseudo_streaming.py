"""What flv and mp4 have in common."""

from __future__ import annotations

import os
from pathlib import Path

from tests.engine import serving


async def test_answers_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.flv").write_bytes(b"text")
    os.utime(tmp_path / "a.flv", (1000, 1000))
    text = f"server {{ listen 127.0.0.1:80; root {tmp_path}; types {{ video/x-flv flv; }} location / {{ flv; }} }}"
    async with serving(text) as engine:
        reply = await engine.get("/a.flv")
        assert reply.header("content-type") == b"video/x-flv"
        assert reply.header("last-modified") == b"Thu, 01 Jan 1970 00:16:40 GMT"
        etag = reply.header("etag")
        assert etag == b'"3e8-4"'
        assert (await engine.get("/a.flv", {"If-None-Match": etag.decode()})).status == 304
