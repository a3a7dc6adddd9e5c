"""headers: add_header, add_trailer, expires."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.modules.http.headers import Expires, parse_expires
from tests.engine import serving


def test_parse_expires() -> None:
    assert parse_expires(["1h"]) == Expires("access", 3600)
    assert parse_expires(["-1"]) == Expires("access", -1)
    assert parse_expires(["modified", "1d"]) == Expires("modified", 86400)
    assert parse_expires(["@15h30m"]) == Expires("daily", 55800)
    for words in (["x"], ["modified", "@1h"], ["other", "1h"], ["@25h"]):
        with pytest.raises(ValueError, match=r".*"):
            parse_expires(words)


async def test_headers_inherit_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    text = f"""add_header X-Outer 1; server {{ listen 127.0.0.1:80; root {tmp_path};
        location /none {{ }}
        location /own {{ alias {tmp_path}/t; add_header X-Own 2; }}
        location /merge {{ alias {tmp_path}/t; add_header_inherit merge; add_header X-Own 2 always; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/t")).header("x-outer") == b"1"
        reply = await engine.get("/own")
        assert reply.header("x-outer") is None and reply.header("x-own") == b"2"
        reply = await engine.get("/merge")
        # as nginx, which puts what is inherited behind its own
        assert [each for each in reply.headers if each[0] in (b"x-own", b"x-outer")] == [
            (b"x-own", b"2"),
            (b"x-outer", b"1"),
        ]
        assert (await engine.get("/none")).header("x-outer") is None


async def test_expires_and_trailers(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path};
        location / {{ expires 1h; add_trailer X-Sum $request_completion-$uri; }} }}"""
    async with serving(text) as engine:
        reply = await engine.get("/t")
        assert reply.header("cache-control") == b"max-age=3600"
        assert reply.header("x-sum") == b"-/t"
        assert reply.header("transfer-encoding") == b"chunked"
        assert (reply.body, reply.header("content-length")) == (b"x", None)
