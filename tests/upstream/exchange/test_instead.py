"""instead: what a client gets in an answer's place."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import answer
from tests.upstream.one_peer import one


async def test_redirects(tmp_path: Path) -> None:
    async with one(
        answer(b"Status: 200\r\nX-Accel-Redirect: /plain/%41?b\r\nSet-Cookie: c\r\nX-No: 1\r\n\r\n"), tmp_path
    ) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.body) == (200, b"plain:/plain/A")
        assert reply.header("set-cookie") == b"c" and reply.header("x-no") is None
    async with one(answer(b"X-Accel-Redirect: @named\r\n\r\n"), tmp_path) as engine:
        assert (await engine.get("/")).body == b"named"
    async with one(answer(b"X-Accel-Redirect: /../x\r\n\r\n"), tmp_path) as engine:
        assert (await engine.get("/")).status == 404
    async with one(
        answer(b"X-Accel-Redirect: /plain\r\n\r\nown"), tmp_path, "uwsgi_ignore_headers X-Accel-Redirect;"
    ) as engine:
        assert (await engine.get("/")).body == b"own"


async def test_intercepted_errors(tmp_path: Path) -> None:
    conf = "uwsgi_intercept_errors on; error_page 404 /plain; error_page 401 /plain;"
    async with one(answer(b"Status: 404 Mine\r\n\r\nmine"), tmp_path, conf) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.body) == (404, b"plain:/plain")
    async with one(answer(b"Status: 401 Mine\r\nWWW-Authenticate: Basic\r\n\r\nmine"), tmp_path, conf) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.header("www-authenticate")) == (401, b"Basic")
    async with one(answer(b"Status: 410 Mine\r\n\r\nmine"), tmp_path, conf) as engine:
        assert (await engine.get("/")).body == b"mine"
