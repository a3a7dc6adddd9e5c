"""Requests that are made to wait: auth_delay."""

from __future__ import annotations

import time
from pathlib import Path

import trio

from tests.engine import serving

CONF = """
server {
    listen 127.0.0.1:80;
    auth_delay %s;
    location / { auth_basic closed; auth_basic_user_file %s/users; root %s; }
    location /any { satisfy any; deny all; auth_basic closed; auth_basic_user_file %s/users; }
    location /denied { deny all; }
}
"""


def conf(tmp_path: Path, delay: str = "200ms") -> str:
    (tmp_path / "users").write_text("user:{PLAIN}word\n")
    (tmp_path / "page").write_text("page")
    return CONF % (delay, tmp_path, tmp_path, tmp_path)


async def test_refusals_are_late(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:
        for target, headers, status, late in (
            ("/page", {}, 401, True),
            ("/any", {}, 401, True),
            ("/page", {"Authorization": "Basic dXNlcjp3b3Jk"}, 200, False),
            ("/denied", {}, 403, False),
        ):
            began = time.monotonic()
            reply = await engine.get(target, headers)
            assert reply.status == status
            assert (time.monotonic() - began >= 0.2) is late, target
        assert [line for line in engine.log.lines if "delaying unauthorized request" in line]


async def test_a_client_that_does_not_wait(tmp_path: Path) -> None:
    async with serving(conf(tmp_path, "10s")) as engine:
        with trio.move_on_after(0.2):
            await engine.get("/page")
        with trio.fail_after(2):
            while engine.worker.connections:
                await trio.sleep(0.01)
        assert [line for line in engine.log.lines if "client prematurely closed connection" in line]
