"""What came back says who answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.diagnosis.mixups import speaker
from tests.dev.diagnosis.asking import explaining, named
from tests.fakes import answer, farm


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is an SSH server"),
        (b"-ERR unknown command\r\n", "is Redis"),
        (b"\x15\x03\x01\x00\x02\x02\x16\n\n", "is a TLS server"),
        (b"<html>no head</html>\n", "a body without a head"),
        (b"?\r\n", "is no head of an answer"),
    ],
)
async def test_an_answer_that_is_none(tmp_path: Path, data: bytes, words: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert "he answer to this uwsgi request begins " in await named(engine)
            assert words in await named(engine)


def test_unknown_words() -> None:
    assert speaker(b"HTTP/1.1 200 OK\r\n") is None
