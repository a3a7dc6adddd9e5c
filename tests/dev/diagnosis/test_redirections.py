"""Requests that lead to themselves. (try_files: test_real_peers.)"""

from __future__ import annotations

from pathlib import Path

from tests.dev.diagnosis.asking import causes, explaining


async def test_a_rewrite_that_fits_what_it_makes(tmp_path: Path) -> None:
    async with explaining("location / { rewrite ^/a /a/b last; }", tmp_path) as engine:
        assert (await engine.get("/a")).status == 500
        assert any("rewrite ^/a /a/b last (nginx.conf" in text and "write break" in text for text in causes(engine))
