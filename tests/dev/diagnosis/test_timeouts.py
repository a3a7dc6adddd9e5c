"""A timeout names its directive, value and place, and the one of another family that was set in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.dev.diagnosis.asking import causes, explaining, named
from tests.fakes import OK, farm, silent


async def test_the_default_and_the_one_set_in_vain(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        server = f"proxy_read_timeout 300s;\nlocation / {{ uwsgi_pass {address}; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 504
            text = await named(engine)
            assert text.startswith("uwsgi_read_timeout 60s (default) ran out: connected in ")
            assert "proxy_read_timeout 300s (nginx.conf:4) says nothing about uwsgi_pass" in text
            assert "write uwsgi_read_timeout 300s;" in text


async def test_the_place_where_it_was_set(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        server = f"proxy_read_timeout 5s;\nlocation / {{ proxy_pass http://{address}; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 504
            assert (await named(engine)).startswith("proxy_read_timeout 5s (nginx.conf:4) ran out: ")
            assert "says nothing" not in await named(engine)


async def test_a_body_that_stands_still(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def half(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(OK.replace(b"Content-Length: 3", b"Content-Length: 9"))
        await trio.sleep(1000)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(half)
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
            assert "The answer stood still for that long: raise uwsgi_read_timeout" in await named(engine)


async def test_an_idle_websocket(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def upgrades(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        await trio.sleep(1000)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(upgrades)
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            await engine.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            assert "Nothing went over the upgraded connection for that long" in await named(engine)


@pytest.mark.parametrize("times", [3])
async def test_once_a_minute(tmp_path: Path, autojump_clock: MockClock, times: int) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        async with explaining(f"location / {{ uwsgi_pass {address}; uwsgi_read_timeout 1s; }}", tmp_path) as engine:
            for _ in range(times):
                await engine.get("/")
            await named(engine)
            assert len(causes(engine)) == 1
