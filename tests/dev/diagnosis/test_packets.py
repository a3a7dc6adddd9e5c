"""A packet that the protocol has no number for."""

from __future__ import annotations

from pathlib import Path

from tests.dev.diagnosis.asking import cause, explaining


async def test_the_longest_field(tmp_path: Path) -> None:
    server = "large_client_header_buffers 4 90k; location / { uwsgi_pass 127.0.0.1:1; }"
    async with explaining(server, tmp_path) as engine:
        assert (await engine.get("/", {"Cookie": "c" * 70000})).status == 431
        assert "16 bits" in cause(engine)
        assert "the longest field is Cookie with 70000 bytes" in cause(engine)
