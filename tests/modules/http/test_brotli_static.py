"""brotli_static: files made beforehand."""

from __future__ import annotations

import gzip
from pathlib import Path

import brotli
import pytest

from tests.engine import serving
from tests.modules.http import test_brotli
from tests.modules.http.test_brotli import BOTH


@pytest.fixture
def conf(tmp_path: Path) -> str:
    return test_brotli.made(tmp_path)


async def test_files_made_beforehand(conf: str) -> None:
    async with serving(conf) as engine:
        reply = await engine.get("/static/s.txt", BOTH)
        assert (reply.header("content-encoding"), brotli.decompress(reply.body)) == (b"br", b"packed by brotli")
        reply = await engine.get("/static/s.txt", {"Accept-Encoding": "gzip"})
        assert (reply.header("content-encoding"), gzip.decompress(reply.body)) == (b"gzip", b"packed by gzip")
        assert (await engine.get("/static/s.txt")).body == b"plain"
        assert brotli.decompress((await engine.get("/always/s.txt")).body) == b"packed by brotli"
