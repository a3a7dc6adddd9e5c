"""Request bodies: what is read, what is thrown away, and what is no body at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.engine import read_reply, serving
from tests.fakes import answer, farm
from tests.speeches import HTTP

PLAIN = """
server {
    listen 127.0.0.1:8080;
    location /text { return 200 ok; }
    location /to { return 302 /there; }
    location /gone { return 410; }
    location /reads { client_max_body_size 8; uwsgi_pass 127.0.0.1:1; }
}
"""
CHUNKED = b"Host: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECT = b"Host: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_chunked_body_that_is_none_is_400_even_where_nobody_wants_it() -> None:
    async with serving(PLAIN) as engine:
        for target in (b"/text", b"/to"):
            data = await engine.raw(b"POST %s HTTP/1.1\r\n" % target + CHUNKED + b"4\r\nSEE-THIS\r\n0\r\n\r\n")
            assert read_reply(data).status == 400
        assert any("[error]" in line and "client sent invalid chunked body" in line for line in engine.log.lines)


async def test_an_error_page_is_sent_whatever_follows_the_head() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /gone HTTP/1.1\r\n" + CHUNKED + b"x\r\n")
        assert read_reply(data).status == 410


async def test_who_throws_a_body_away_lets_it_come_first() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /text HTTP/1.1\r\n" + EXPECT + b"ab")
        assert data.startswith(CONTINUE + b"HTTP/1.1 200 OK\r\n")
        data = await engine.raw(b"POST /gone HTTP/1.1\r\n" + EXPECT + b"ab")
        assert data.startswith(b"HTTP/1.1 410 Gone\r\n")
        data = await engine.raw(b"POST /text HTTP/1.0\r\n" + EXPECT + b"ab")
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_static_files_refuse_a_wrong_body_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    async with serving(f"server {{ listen 127.0.0.1:8080; root {tmp_path}; }}") as engine:
        data = await engine.raw(b"GET /file HTTP/1.1\r\n" + CHUNKED + b"zz\r\n")
        assert read_reply(data).status == 400
        data = await engine.raw(b"GET /file HTTP/1.1\r\n" + CHUNKED + b"1\r\na\r\n0\r\n\r\n")
        assert read_reply(data).body == b"content"


async def test_a_chunked_body_that_came_with_the_head_may_be_too_large() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"POST /reads HTTP/1.1\r\n" + CHUNKED + b"9\r\n123456789\r\n0\r\n\r\n")
        assert read_reply(data).status == 413
        assert any("client intended to send too large chunked body" in line for line in engine.log.lines)


@pytest.mark.parametrize("fails", ["pwrite", "open"])
async def test_a_full_disk(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, and a line as nginx has it; the next request is served when there is room again."""
    full = True

    def failing(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if full and (fails != "open" or str(tmp_path) in os.fsdecode(arguments[0])):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return call

    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(HTTP.ok, speech=HTTP))
        text = f"""client_body_temp_path {tmp_path}; server {{ listen 127.0.0.1:80; client_body_buffer_size 1k;
            location / {{ proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            # one part, or several that are written together
            for name in ("open",) if fails == "open" else ("pwrite", "pwritev"):
                monkeypatch.setattr(os, name, failing(getattr(os, name)))
            assert (await engine.request("POST", "/", {}, b"x" * 30000)).status == 500
            (line,) = [line for line in engine.log.lines if "[crit]" in line]
            assert f"{fails}" in line and "failed (28: No space left on device), client: " in line
            assert not [line for line in engine.log.lines if "Traceback" in line]
            full = False
            assert (await engine.request("POST", "/", {}, b"x" * 30000)).status == 200
