"""A head over its buffer names the directive of the right family."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.dev.diagnosis.asking import cause, explaining
from tests.fakes import HUGE_HEAD, answer, farm


async def test_the_size_wanted(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(HUGE_HEAD))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert cause(engine).startswith("uwsgi_buffer_size 4k (default) holds the head of an answer, and ")
            assert "write uwsgi_buffer_size " in cause(engine)


async def huge(stream: trio.SocketStream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(HUGE_HEAD)


async def test_the_buffers_that_go_with_it(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(huge)
        server = f"proxy_buffer_size 32k; proxy_buffers 4 32k;\nlocation / {{ proxy_pass http://{address}; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert "proxy_buffer_size 32k (nginx.conf:4) holds" in cause(engine)
            assert " and proxy_buffers 4 " in cause(engine)
