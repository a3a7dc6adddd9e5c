"""zstd_static: files made beforehand."""

from __future__ import annotations

from pathlib import Path

import zstandard

from tests.engine import serving
from tests.modules.http.test_zstd import unpacked


async def test_files_made_beforehand(tmp_path: Path) -> None:
    (tmp_path / "s.txt.zst").write_bytes(zstandard.compress(b"packed"))
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; zstd_static on; }}") as engine:
        reply = await engine.get("/s.txt", {"Accept-Encoding": "br, zstd"})
        assert (reply.header("content-encoding"), unpacked(reply.body)) == (b"zstd", b"packed")
        assert (await engine.get("/s.txt")).status == 404
