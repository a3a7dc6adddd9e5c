"""An upstream that closes: what was sent and read, and the likely causes in order."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.dev.diagnosis.asking import causes, explaining, named
from tests.fakes import answer, farm, reset_after


async def test_a_close_after_the_request(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.unix(answer(b""))
        server = f"location / {{ uwsgi_pass {address}; uwsgi_param REQUEST_METHOD GET; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            text = await named(engine)
            assert "connected in " in text and "sent " in text and "bytes of uwsgi, read 0 bytes in" in text
            assert "then it closed the connection. Likely: " in text
            assert "out of memory" in text


async def test_once_a_minute_for_the_same_cause(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address, other = await peers.tcp(answer(b"")), await peers.tcp(answer(b""))
        text = f"location / {{ uwsgi_pass {address}; }} location /other {{ uwsgi_pass {other}; }}"
        async with explaining(text, tmp_path) as engine:
            for _ in range(3):
                await engine.get("/")
            await named(engine)
            assert len(causes(engine)) == 1
            await engine.get("/other")
            with trio.fail_after(10):
                while len(causes(engine)) < 2:
                    await trio.sleep(0.01)


async def test_a_reset_by_a_packet_over_uwsgis_buffer(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(reset_after(0))
        server = f"large_client_header_buffers 4 16k; location / {{ uwsgi_pass {address}; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/", {"Cookie": "c" * 6000})).status == 502
            text = await named(engine)
            assert "(HTTP_COOKIE alone 6000)" in text
            assert "raise uWSGI's buffer-size to at least 6" in text and "(buffer-size = 8192)" in text


@pytest.mark.parametrize(
    ("method", "size", "letters"), [("GET", 21573, '"ET" of GET'), ("POST", 21327, '"OS" of POST')]
)
async def test_http_to_what_closes_at_once(tmp_path: Path, method: str, size: int, letters: str) -> None:
    async def uwsgi_like(stream: trio.SocketStream) -> None:
        await stream.receive_some(4)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(uwsgi_like)
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.request(method, "/")).status == 502
            text = await named(engine)
            assert f"a block of {size} bytes ({letters})" in text
            assert f"uwsgi_pass {address};" in text and "http-socket =" in text


async def test_a_limit_of_the_application_server(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def harakiri(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await trio.sleep(20)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(harakiri)
        params = "uwsgi_param REQUEST_METHOD GET;"
        async with explaining(f"location / {{ uwsgi_pass {address}; {params} }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert "Likely: 1) a limit of 20 s or less" in await named(engine)
            assert "harakiri" in await named(engine)


async def test_a_body_that_breaks_off(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            await engine.raw(b"GET / HTTP/1.0\r\n\r\n")
            assert "5 bytes of the body had come of 100 that Content-Length promised" in await named(engine)
