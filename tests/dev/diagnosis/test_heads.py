"""Requests that are refused by their head: the cause is on the page, and in an error log that has such lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.logs import LEVELS
from tests.dev.diagnosis.asking import causes, explaining

PAGE = "diagnosis_page on; "
HOST = b"Host: a.test\r\n"


@pytest.mark.parametrize(
    ("inside", "sent", "status", "why"),
    [
        (
            "",
            b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
            414,
            "large_client_header_buffers 4 8k (default): the request line has to fit into one of these, and this one "
            "does not: write large_client_header_buffers 4 16k; ",
        ),
        (
            "large_client_header_buffers 2 16k;",
            b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 20000 + b"\r\n\r\n",
            400,
            "large_client_header_buffers 2 16k (nginx.conf:4): the fields of a request have to fit into these, each "
            "into one, and Cookie does not; a cookie that grows is the usual reason: the browser's cookies of this "
            "site can be deleted; or write large_client_header_buffers 2 32k; ",
        ),
        (
            "",
            b"GET / HTTP/1.1\r\n" + HOST + b"X-Token: " + b"a" * 9000 + b"\r\n\r\n",
            400,
            "large_client_header_buffers 4 8k (default): the fields of a request have to fit into these, each into "
            "one, and X-Token does not; or write ",
        ),
        (
            "max_headers 2;",
            b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\nB: c\r\n\r\n",
            400,
            "max_headers 2 (nginx.conf:4) is how many fields a request may have",
        ),
        ("", b"GET / HTTP/1.1\r\n\r\n", 400, "HTTP/1.1 has a Host in each request (RFC 9112, 3.2)"),
        ("", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "a Host is a name or an address and perhaps a port"),
        ("", b"GET /a b c HTTP/1.1\r\n" + HOST + b"\r\n", 400, "a space in a URL is written %20"),
        ("", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405, "TRACE is never served, as by nginx"),
        (
            "",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            400,
            "it is the beginning of TLS: the client asks",
        ),
        (
            "return 404;",
            b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nAPI_KEY: x\r\n\r\n",
            404,
            "underscores_in_headers off (default): API_KEY is not passed on, since its name has an underscore: write "
            "API-KEY in the client",
        ),
    ],
)
@pytest.mark.parametrize("level", ["error", "info"])
async def test_the_cause(tmp_path: Path, inside: str, sent: bytes, status: int, why: str, level: str) -> None:
    async with explaining(f"{PAGE} {inside}", tmp_path) as engine:
        engine.cycle.servers[0].root.core.error_log.level = LEVELS[level]
        page = (await engine.raw(sent)).decode()
        assert f" {status} " in page.partition("\r\n")[0]
        assert f"cause: {why}" in page
        assert "says nothing" not in page
        assert any(why in cause for cause in causes(engine)) is (level == "info")


async def test_a_long_field_is_not_shown_whole(tmp_path: Path) -> None:
    async with explaining(PAGE, tmp_path) as engine:
        page = (await engine.raw(b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 9000 + b"\r\n\r\n")).decode()
        assert 'header line: "Cookie: aaaa' in page and "a" * 70 not in page and '…" while reading' in page
