"""The seam: whoever explains is asked once nginx's line is written, for errors alone, and before odd answers go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.logs import LEVELS
from tests.engine import Engine, serving
from tests.fakes import answer, farm


class Listening:
    """Notes what it is asked."""

    def __init__(self, engine: Engine, says: bytes | None = None) -> None:
        self.engine = engine
        self.says = says
        self.asked: list[tuple[bytes, int, int]] = []  # the message, the error's number, how many lines there were
        self.overheard: list[bytes] = []
        self.statuses: list[int] = []
        self.buffered = 0

    def explain(self, request: Any, message: bytes, error: OSError | None) -> bytes | None:
        self.asked.append((message, (error.errno or 0) if error else 0, len(self.engine.log.lines)))
        return self.says

    def reason(self, request: Any, message: bytes, error: OSError | None) -> bytes | None:
        return self.says

    def overhear(self, request: Any, message: bytes, error: OSError | None) -> None:
        self.overheard.append(message)

    def answered(self, exchange: Any) -> None:
        self.statuses.append(exchange.attempt.status)

    def buffers(self, exchange: Any) -> None:
        self.buffered += 1


async def test_a_cause_stands_behind_its_line(tmp_path: Path) -> None:
    async with serving(f"server {{ listen 127.0.0.1:8080; root {tmp_path}; }}") as engine:
        engine.cycle.diagnosis = listening = Listening(engine, b"it is not there")
        assert (await engine.get("/x")).status == 404
        assert listening.asked == [(f'open() "{tmp_path}/x" failed'.encode(), 2, 1)]
        first, second = engine.log.lines
        assert "open()" in first and " cause: " not in first
        number = first.partition("*")[2].partition(" ")[0]
        assert second.endswith(f"*{number} cause: it is not there") and "[error]" in second


async def test_nothing_to_say_is_no_line(tmp_path: Path) -> None:
    async with serving(f"server {{ listen 127.0.0.1:8080; root {tmp_path}; }}") as engine:
        engine.cycle.diagnosis = listening = Listening(engine)
        await engine.get("/x")
        assert len(listening.asked) == len(engine.log.lines) == 1


async def test_what_is_not_logged_or_no_error_is_not_asked_about(tmp_path: Path) -> None:
    server = f"log_not_found off; root {tmp_path}; location /w {{ rewrite_log on; rewrite ^ /none; }}"
    async with serving(f"server {{ listen 127.0.0.1:8080; {server} }}") as engine:
        engine.cycle.diagnosis = listening = Listening(engine, b"x")
        assert (await engine.get("/x")).status == 404
        assert (await engine.get("/w")).status == 404
        assert [line for line in engine.log.lines if "[notice]" in line]
        assert listening.asked == []


@pytest.mark.parametrize(
    ("data", "statuses", "buffered"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", [], 0),
        (b"HTTP/1.1 200 OK\r\n\r\nok", [], 1),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", [404], 0),
    ],
)
async def test_answers(tmp_path: Path, data: bytes, statuses: list[int], buffered: int) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data))
        server = f"listen 127.0.0.1:8080; location / {{ uwsgi_pass {address}; }}"
        async with serving(f"uwsgi_temp_path {tmp_path}; server {{ {server} }}") as engine:
            engine.cycle.diagnosis = listening = Listening(engine)
            await engine.get("/")
            assert (listening.statuses, listening.buffered) == (statuses, buffered)


async def test_a_page_in_the_place_of_nginx_s() -> None:
    asked: list[int] = []

    class Maker:
        def page(self, request: Any, status: int) -> tuple[bytes, bytes] | None:
            asked.append(status)
            return (b"text/plain", b"why") if request.uri == b"/a" else None

    text = "server { listen 127.0.0.1:8080; location /301 { return 301 /x; } location / { return 404; } }"
    async with serving(text) as engine:
        engine.cycle.failure_pages = Maker()
        reply = await engine.get("/a")
        assert (reply.status, reply.header("content-type"), reply.body) == (404, b"text/plain", b"why")
        reply = await engine.get("/b")
        assert (reply.status, reply.header("content-type")) == (404, b"text/html")
        assert (await engine.get("/301")).status == 301
        assert asked == [404, 404]
        head = await engine.request("HEAD", "/a")
        assert (head.header("content-length"), head.body) == (b"3", b"")


@pytest.mark.parametrize(("level", "pages"), [("error", True), ("error", False), ("info", True)])
async def test_news_below_the_log_s_level_are_for_pages_alone(level: str, pages: bool) -> None:
    async with serving("server { listen 127.0.0.1:8080; }") as engine:
        engine.cycle.servers[0].root.core.error_log.level = LEVELS[level]
        engine.cycle.diagnosis = listening = Listening(engine)
        engine.cycle.failure_pages = Page() if pages else None
        await engine.raw(b"GET / HTTP/1.1\r\n\r\n")
        told = b'client sent HTTP/1.1 request without "Host" header while reading client request headers'
        assert listening.overheard == ([told] if pages and level == "error" else [])
        assert [message for message, _, _ in listening.asked] == ([told] if level == "info" else [])


class Page:
    """Nobody's page."""

    def page(self, request: Any, status: int) -> None:
        return None
