"""Answers that break HTTP's rules: which one, and who is to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.diagnosis.asking import explaining, named
from tests.fakes import answer, farm
from tests.speeches import HTTP


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (b"Content-Length: 5\r\nContent-Length: 6", "Content-Length stands in the head of the answer twice"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", "a body has one length"),
        (b"Transfer-Encoding: gzip, chunked", "the only coding that is taken from an upstream is chunked"),
        (b"Content-Length: five", "Content-Length is a number of bytes"),
        (b"Bad Name: x", "is no field"),
    ],
)
async def test_a_head_that_breaks_a_rule(tmp_path: Path, fields: bytes, words: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\nabcde", speech=HTTP))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            text = await named(engine)
            assert words in text and "is an HTTP server: proxy_pass" not in text


async def test_chunks_that_are_none(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", speech=HTTP))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
            assert "the head promises chunks" in await named(engine)
