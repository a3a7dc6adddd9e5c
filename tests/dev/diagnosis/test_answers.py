"""Answers that are no failure of nginx's, and yet not what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.dev.diagnosis.asking import causes, explaining
from tests.engine import Engine
from tests.fakes import OK, answer, farm

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def lines(engine: Engine, level: str) -> list[str]:
    return [line for line in engine.log.lines if f"[{level}]" in line and "cause: " in line]


async def reads_and_answers(stream: trio.SocketStream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(OK)


async def handshake(engine: Engine) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    stream = engine.connect()
    async with stream:
        await stream.send_all(f"GET / HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 200")


async def test_a_handshake_whose_fields_are_dropped(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(reads_and_answers)
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            await handshake(engine)
            await handshake(engine)
            (line,) = lines(engine, "warn")
            assert "a WebSocket handshake arrived" in line
            assert 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";' in line
            assert "proxy_http_version" not in line


async def test_a_handshake_over_http_1_0_with_lines_that_are_not_inherited(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(reads_and_answers)
        server = (
            "proxy_http_version 1.0; proxy_set_header Upgrade $http_upgrade;\n"
            f"location / {{ proxy_pass http://{address}; proxy_set_header A b; }}"
        )
        async with explaining(server, tmp_path) as engine:
            await handshake(engine)
            (line,) = lines(engine, "warn")
            assert "proxy_set_header Upgrade $http_upgrade (nginx.conf:4) does not reach this block" in line
            assert "add here: proxy_http_version 1.1;" in line


async def test_a_handshake_that_is_passed_on(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(reads_and_answers)
        server = f"location / {{ proxy_pass http://{address}; proxy_set_header Upgrade $http_upgrade; }}"
        async with explaining(server, tmp_path) as engine:
            await handshake(engine)
            assert lines(engine, "warn") == []


async def test_an_http_server_behind_uwsgi_pass(tmp_path: Path) -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(refusal))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 400
            assert (await engine.get("/")).status == 400
            (line,) = lines(engine, "error")
            assert f"{address} answered 400 to a uwsgi request" in line
            assert f"proxy_pass http://{address};" in line


@pytest.mark.parametrize("field", [b"X-A: b", b"Connection: close\r\nServer: gunicorn"])
async def test_an_application_may_answer_400(tmp_path: Path, field: bytes) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.1 400 Bad Request\r\n" + field + b"\r\nContent-Length: 0\r\n\r\n"))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 400
            assert causes(engine) == []


@pytest.mark.parametrize(("setting", "said"), [("", 1), ("uwsgi_buffering off;", 0)])
async def test_an_event_stream(tmp_path: Path, setting: str, said: int) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"))
        async with explaining(f"location / {{ uwsgi_pass {address}; {setting} }}", tmp_path) as engine:
            assert (await engine.get("/")).body == b"data: 1\n\n"
            found = lines(engine, "notice")
            assert len(found) == said
            if found:
                assert "uwsgi_buffering on (default)" in found[0] and "uwsgi_buffering off;" in found[0]
