"""not_modified: 304 and 412 by the client's conditions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engine import serving

MTIME = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ETAG = f'"{MTIME:x}-1"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ({"If-Modified-Since": "Sun, 06 Nov 1994 08:49:38 GMT"}, 200),
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f'"x", W/{ETAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 200),
        ({"If-Match": ETAG}, 200),
        ({"If-Match": "W/" + ETAG}, 412),
        ({"If-Match": '"x"'}, 412),
        ({"If-Unmodified-Since": DATE}, 200),
        ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 412),
    ],
)
async def test_conditions(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    (tmp_path / "t").write_bytes(b"x")
    os.utime(tmp_path / "t", (MTIME, MTIME))
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; }}") as engine:
        reply = await engine.get("/t", headers)
        assert reply.status == status
        if status == 304:
            assert reply.body == b"" and reply.header("etag") == ETAG.encode()
            assert reply.header("content-type") is None


async def test_what_answers_a_412_has_nothing_of_the_response_that_was_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"x")
    text = f"root {tmp_path}; location /t {{ error_page 412 /why; }} location = /why {{ return 200 why; }}"
    async with serving(f"server {{ listen 127.0.0.1:80; {text} }}") as engine:
        reply = await engine.get("/t", {"If-Match": '"x"'})
        assert (reply.status, reply.body, reply.header("etag")) == (412, b"why", None)
