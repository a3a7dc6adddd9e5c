"""413 says the limit, where it was set, and the size."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.diagnosis.body_size import enough, human
from tests.dev.diagnosis.asking import cause, explaining


async def test_the_default(tmp_path: Path) -> None:
    async with explaining("location / { return 200; }", tmp_path) as engine:
        assert (await engine.request("POST", "/", body=b"x" * 2411725)).status == 413
        assert cause(engine) == (
            "client_max_body_size 1m (default) < 2.3m: write client_max_body_size 5m; in http, server or location"
        )


async def test_the_place(tmp_path: Path) -> None:
    async with explaining("client_max_body_size 10;\nlocation / { return 200; }", tmp_path) as engine:
        assert (await engine.request("POST", "/", body=b"x" * 20)).status == 413
        assert cause(engine).startswith("client_max_body_size 10 (nginx.conf:4) < 20: ")


async def test_chunks(tmp_path: Path) -> None:
    server = "client_max_body_size 4; location / { proxy_pass http://127.0.0.1:1; }"
    async with explaining(server, tmp_path) as engine:
        body = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"
        assert b" 413 " in await engine.raw(body)
        assert "< 6 or more" in cause(engine)


@pytest.mark.parametrize(("size", "text"), [(100, "100"), (2048, "2k"), (1 << 20, "1m"), (5 << 30, "5g")])
def test_units(size: int, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize(("size", "text"), [(100, "2m"), (3 << 20, "5m"), (150 << 20, "150m")])
def test_round_values(size: int, text: str) -> None:
    assert enough(size) == text
